"""A config.yaml that was edited by hand does not pass as the run that it was, in any command."""

import json

import pytest

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder import config_hash, stored_config
from tests.raised import raises

COMMANDS = {
    "resume": ["resume", "RUN"],
    "extend": ["extend", "RUN", "trainer.epochs=90"],
    "eval": ["eval", "RUN"],
    "predict": ["predict", "RUN", "RUN"],
    "export": ["export", "RUN"],
    "replay": ["replay", "RUN", "weighting=var"],
    "compare": ["compare", "RUN", "RUN2"],
    "report": ["report", "RUN"],
    "train": ["train", "model.weights=RUN", "run_dir=NEW"],
    "sweep": ["train", "-m", "model.weights=RUN", "seed=0,1", "output_root=NEW"],
}


@pytest.fixture(scope="module")
def config():
    return configs.compose(["loss=dice", "seed=3"])


def write(folder, config, **status):
    """A run that was completed, as far as commands look at it before they import Keras."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/best.keras").write_text("weights")
    (folder / "config.yaml").write_text(configs.to_yaml(config))
    started_with = {"config": config_hash.group_hashes(config.plain), **status}
    (folder / "status.json").write_text(json.dumps({"state": "completed", **started_with}))
    rows = "".join(f"{step},1,0.5,0,0,0.5,1\n" for step in range(1, 200))
    (folder / "steps.csv").write_text(f"step,epoch,loss,gamma,aux,loss.dice,weight.dice\n{rows}")
    return folder


def edit(folder, before="threshold: 0.5", after="threshold: 0.4"):
    text = (folder / "config.yaml").read_text()
    assert before in text
    (folder / "config.yaml").write_text(text.replace(before, after))
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_a_run_refuses_an_edited_one_in_one_line(
    command, config, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    state = "interrupted" if command == "resume" else "completed"
    run = edit(write(tmp_path / "run", config, state=state))
    write(tmp_path / "other", config)
    places = {"RUN2": tmp_path / "other", "RUN": run, "NEW": tmp_path / "new"}
    words = COMMANDS[command]
    for name, place in places.items():
        words = [f"{word.removesuffix(name)}{place}" if word.endswith(name) else word for word in words]
    code = main(words)
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if "config.yaml was edited: metrics is not" in line]
    assert len(said) == 1
    assert str(run) in said[0]
    assert "unexpected" not in err + out
    # A report shows what is there, and says what is not.
    assert (code, command) in [(0, "report"), (2, command)]
    assert not (tmp_path / "new").exists()


def test_a_report_of_many_runs_says_which_of_them_is_edited(config, tmp_path, capsys):
    edit(write(tmp_path / "runs/edited", config))
    write(tmp_path / "runs/whole", config)
    assert main(["report", str(tmp_path / "runs"), "-o", str(tmp_path / "report.html")]) == 0
    edited = tmp_path / "runs/edited/config.yaml"
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"note: {edited} was ")]
    assert len(said) == 1
    assert (tmp_path / "report.html").exists()


def test_places_may_be_edited_and_runs_of_before_say_nothing_of_their_config(config, tmp_path):
    run = edit(write(tmp_path / "run", config), "output_root: outputs", "output_root: elsewhere")
    edit(run, "data_dir: null", "data_dir: /elsewhere")
    assert stored_config.load_run(run).plain["output_root"] == "elsewhere"
    edit(run)
    with raises(RunFolderError, path=run / "config.yaml", reason="was edited", hint="metrics is not what"):
        stored_config.load_run(run)
    (run / "status.json").write_text('{"state": "completed"}')  # of version 0.1.0
    assert stored_config.load_run(run).plain["metrics"]["threshold"] == 0.4
