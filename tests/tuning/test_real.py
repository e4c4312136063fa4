"""One real trial in its own process, and what the parent does not load for it; smoke has a whole search."""

import json
import os
import subprocess
import sys

from dmf_cli.run_folder.stored_config import load_run

TINY = [
    "loss=dice+bce", "model.filters=4", "model.depth=1", "dataset.count=24", "dataset.size=16",
    "dataset.image_size=16", "trainer.epochs=1", "trainer.batch_size=4", "report=false", "trials=1",
    "weighting.total=1",
]  # fmt: skip


def test_a_trial_is_a_run_folder_and_the_parent_stays_light(tmp_path):
    study = tmp_path / "study"
    code = (
        "import sys; from dmf_cli.cli.main import main; code = main(sys.argv[1:]);"
        "heavy = {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules);"
        "print('heavy:', *sorted(heavy)); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "tune", *TINY, f"study={study}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "heavy:"
    content = json.loads((study / "trials.json").read_text())
    assert [trial["state"] for trial in content["trials"]] == ["done"]
    for trial in content["trials"]:
        run = study / trial["run"]
        assert json.loads((run / "status.json").read_text())["state"] == "completed"
        config = load_run(run)
        # Coefficients are those of the trial, and the weights that it was trained with.
        assert config.loss.expression == trial["loss"]
        assert config.weighting.name == "fixed"
        best = (run / "epochs.csv").read_text().splitlines()
        column = best[0].split(",").index("val_foreground_dice")
        assert float(best[1].split(",")[column]) == trial["val_foreground_dice"]
