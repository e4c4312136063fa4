"""Jobs that do train, in this process and in one of their own."""

import json

from dmf_cli.cli.main import main
from dmf_cli.run_folder.index import Index

TINY = [
    "dataset.count=16",
    "dataset.size=32",
    "dataset.image_size=32",
    "model.filters=4",
    "model.depth=1",
    "report=false",
    "trainer.batch_size=4",
    "trainer.epochs=2",
    "augment=none",
    "loss=dice+ce",
    "weighting=fixed",
]


def test_one_job_here_and_one_with_other_precision_in_a_process_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DMF_DISPLAY", "plain")
    command = ["train", "-m", "output_root=out", *TINY, "trainer.precision=float32,mixed_bfloat16"]
    assert main([*command, "sweep.isolate=false"]) == 0
    assert "2 of 2 done" in capsys.readouterr().out
    entries = Index("out").refresh()
    assert len({entry.status["pid"] for entry in entries}) == 2
    environments = [json.loads((entry.path / "environment.json").read_text()) for entry in entries]
    assert {e["runtime"]["precision"] for e in environments} == {"float32", "mixed_bfloat16"}
    child = environments[[e["runtime"]["precision"] for e in environments].index("mixed_bfloat16")]
    assert child["command"].startswith("dmf train output_root=out dataset.count=16")
    assert "loss=dice+ce" in child["command"]
    # The trainer and the sweep give the same ids, so nothing is left to do.
    assert main([*command, "--dry-run"]) == 0
    assert "2 job(s), 0 to run, 2 done" in capsys.readouterr().out


def test_forks_give_what_processes_of_their_own_give(tmp_path, monkeypatch, capsys):
    """And it makes no difference which of a fork's brothers has run before it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DMF_DISPLAY", "plain")
    for warm in ("true", "false"):
        words = [*TINY, "trainer.epochs=1", "seed=0,1", f"output_root=warm_{warm}", f"sweep.warm={warm}"]
        assert main(["train", "-m", *words]) == 0
    assert capsys.readouterr().out.count("2 of 2 done") == 2
    forked, alone = Index("warm_true").by_id(), Index("warm_false").by_id()
    assert len(forked) == 2
    assert forked.keys() == alone.keys()
    for id, entry in forked.items():
        for name in ("steps.csv", "metrics/test_per_image.csv"):
            assert (entry.path / name).read_bytes() == (alone[id].path / name).read_bytes(), name
