"""Every command of ``dmf --help`` and every option of every group, unpatched, from an installed wheel.

Nothing is looked at closely here: a command ends as it should, says nothing odd, and leaves its files.
"""

import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dmf_cli.cli import data
from dmf_cli.cli.main import COMMANDS
from tests.smoke import plan

TRAININGS = plan.trainings()
FOLDER = [
    "dataset=folder",
    "dataset.dir=.",
    "dataset.images=photos/*.png",
    "dataset.masks='truth/{stem}.png'",
]
PHANTOM = ["dataset=phantom", "dataset.count=16", "dataset.size=16", "dataset.image_size=16"]
RUN = ["loss=dice+bce", "model.filters=2", "trainer.insight_every=1", *plan.TINY[:-1]]
VAR = ["weighting=var", "weighting.warmup=2"]
# What is run in one process, in this order: (exit code, words).
CHAIN: list[tuple[int, list[str]]] = [
    (0, ["data", "prepare", *PHANTOM]),
    (0, ["data", "show", *PHANTOM, "count=4", "-o", "show.png"]),
    (0, ["data", "check", *PHANTOM, "-o", "check"]),
    (1, ["data", "prepare", "dataset=udiat"]),  # it is told where to get it
    (0, ["train", *RUN, *VAR, "run_dir=runs/a"]),
    (0, ["train", *RUN, "weighting=fixed", "run_dir=runs/b", "report=false"]),
    (0, ["train", *RUN, *VAR, "--cfg", "job"]),
    (0, ["train", *RUN, *VAR, "--dry-run"]),
    (0, ["train", "-m", *RUN, "weighting=fixed,equal", "--dry-run"]),
    (2, ["resume", "runs/a"]),  # it is complete
    (0, ["extend", "runs/b", "trainer.epochs=3", "--schedule", "continue", "run_dir=longer"]),
    (0, ["verify", "runs/a", "--steps", "2"]),
    (0, ["bundle", "runs", "-o", "paper.zip"]),
    (0, ["verify", "paper.zip", "--hashes"]),
    (0, ["eval", "runs/a", "split=val", "metrics=full"]),
    (0, ["eval", "runs/a", "split=all", *FOLDER]),
    (0, ["predict", "runs/a", "photos", "-o", "masks", "--probabilities", "--spacing", "0.1,0.1"]),
    (0, ["export", "runs/a"]),
    (0, ["export", "runs/a", "--format", "savedmodel", "-o", "saved"]),
    (0, ["plan", *PHANTOM, "budget=1h", "augment=none", "model.filters=2", "trainer.epochs=9", "--json"]),
    (0, ["replay", "runs/a", "weighting=mad,gradnorm", "weighting.warmup=2"]),
    (0, ["compare", "runs", "--baseline", "weighting=fixed", "-o", "compared"]),
    (0, ["report", "runs/a"]),
    (0, ["report", "runs", "-o", "all.html"]),
    (0, ["new", "loss", "my_loss"]),
    (0, ["new", "experiment", "my_study"]),
    (0, ["check", "plugins=my_loss.py", "loss=my_loss,dice", "loss.terms.my_loss.alpha=0.4"]),
    (0, ["train", "-m", "--config-dir", "conf", "experiment=my_study", "--dry-run"]),
    (0, ["list"]),
    (0, ["completion", "bash"]),
    (0, ["completion", "query", "dmf train loss=cbdice+"]),
]
LEAVES = [
    "show.png", "check/check.json", "runs/a/report.html", "runs/a/metrics/val_summary.json",
    "masks/areas.csv", "runs/a/export/model.keras", "saved/saved_model.pb", "runs/a/replay/weights.png",
    "compared/comparison.json", "all.html", "paper.zip",
    "longer/metrics/test_summary.json", "my_loss.py", "conf/experiment/my_study.yaml",
]  # fmt: skip
# What has processes of its own, each command once.
APART = [
    ["train", "-m", *RUN, "report=false", "weighting=fixed", "seed=0,1", "trainer.epochs=60"],
    ["tune", *RUN, "trials=2", "output_root=tuned"],
    ["list", "models"],
    ["doctor", "--json"],
]
HELP = [[], *([name] for name in COMMANDS), *(["data", action] for action in data.actions())]


def photos(folder: Path) -> None:
    """Four pictures with a bright square, and their masks."""
    for name in ("photos", "truth"):
        (folder / name).mkdir()
    for number in range(4):
        mask = np.zeros((20, 24), np.uint8)
        mask[5 : 10 + number, 6:14] = 255
        noise = np.random.default_rng(number).integers(0, 60, mask.shape, dtype=np.uint8)
        Image.fromarray(np.maximum(mask // 2, noise)).save(folder / f"photos/{number}.png")
        Image.fromarray(mask).save(folder / f"truth/{number}.png")


def test_every_command_is_run() -> None:
    run = {words[0] for _, words in CHAIN} | {words[0] for words in APART}
    assert run == set(COMMANDS), "a command without smoke: add it to CHAIN or APART"
    actions = {words[1] for _, words in CHAIN if words[0] == "data"}
    assert actions == set(data.actions()), "an action of `dmf data` without smoke: add it to CHAIN"


def test_every_option_is_trained_or_named_with_the_reason() -> None:
    trained = {tuple(word.split("=", 1)) for words in TRAININGS for word in words if "=" in word}
    terms = {term for key, value in trained if key == "loss" for term in value.split("+")}
    for group in plan.TRAINED:
        done = terms if group == "loss/term" else {value for key, value in trained if key == group}
        left = {option for option in plan.options(group) if f"{group}/{option}" not in plan.ELSEWHERE}
        assert left - done == set(), f"{group}: options that no training has"
    files = set(plan.every_file())
    assert set(plan.ELSEWHERE) <= files
    groups = {file.rpartition("/")[0] for file in files}
    assert groups - set(plan.TRAINED) <= {"dataset", "experiment", "recipe"}, (
        "a group without smoke: add it to TRAINED"
    )


def test_every_file_of_conf_is_in_the_wheel_and_composes(drive, installed) -> None:
    there = {
        file.relative_to(installed / "dmf_cli/conf") for file in installed.glob("dmf_cli/conf/**/*.yaml")
    }
    assert there == {file.relative_to(plan.CONF) for file in plan.CONF.rglob("*.yaml")}
    commands = plan.compositions()
    assert len(commands) > 20  # those that are not trained with
    assert [(one["words"], one["err"]) for one in drive(commands) if one["code"] != 0] == []


@pytest.mark.parametrize("part", [0, 1])
def test_every_option_trains(drive, tmp_path, part) -> None:
    commands = TRAININGS[part::2]
    assert [(one["words"], one["err"]) for one in drive(commands, "--undrawn") if one["code"] != 0] == []
    for words in commands:
        run = tmp_path / words[-1].partition("=")[2]
        assert json.loads((run / "status.json").read_text())["state"] == "completed"
        assert (run / "metrics/test_summary.json").is_file()


def test_every_command_works(drive, tmp_path) -> None:
    photos(tmp_path)
    found = drive([words for _, words in CHAIN])
    wrong = [one for one, (code, _) in zip(found, CHAIN, strict=True) if one["code"] != code]
    assert [(one["words"], one["code"], one["err"]) for one in wrong] == []
    assert [name for name in LEAVES if not (tmp_path / name).exists()] == []
    long = [line for one in found for line in one["out"].splitlines() if "…" in line]
    assert long == []  # a table that is cut at 80 columns


def test_help_fits_into_80_columns(drive) -> None:
    found = drive([[*words, "--help"] for words in HELP])
    assert [one["words"] for one in found if one["code"] != 0] == []
    lines = [line for one in found for line in one["out"].splitlines()]
    assert len(lines) > 300
    assert [line for line in lines if len(line) > 80 and len(line.split()) > 1] == []


def test_a_sweep_that_slurm_ends_is_resumed(dmf, tmp_path) -> None:
    sweep = dmf(*APART[0])
    while sweep.poll() is None and not list(tmp_path.glob("outputs/*/*/epochs.csv")):
        time.sleep(0.1)
    sweep.send_signal(signal.SIGTERM)
    out, err = sweep.communicate()
    assert sweep.returncode == 143, out + err
    (run,) = (file.parent for file in tmp_path.glob("outputs/*/*/epochs.csv"))
    assert json.loads((run / "status.json").read_text())["state"] == "interrupted"
    resumed = dmf("resume", str(run))
    out, err = resumed.communicate()
    assert (resumed.returncode, err) == (0, "")
    assert f"results   {run}" in out


def test_tune_says_what_it_is_at(dmf, tmp_path) -> None:
    search = dmf(*APART[1])
    out, err = search.communicate()
    assert (search.returncode, err) == (0, "")
    assert re.search(r"^trial 0: training, loss=", out, re.MULTILINE)
    assert "\ndmf train -m " in out
    assert list(tmp_path.glob("tuned/tune/*/trials.csv"))


def test_every_model_is_listed_with_its_costs(dmf) -> None:
    listing = dmf(*APART[2])
    out, err = listing.communicate()
    assert (listing.returncode, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == plan.options("model")
    assert out.count(" weights ") >= len(plan.options("model")) - 1  # hub is optional


def test_the_doctor_finds_an_installation_that_works(dmf) -> None:
    doctor = dmf(*APART[3])
    out, err = doctor.communicate()
    assert (doctor.returncode, err) == (0, "")
    (ours,) = [check for check in json.loads(out) if check["name"] == "dmf"]
    assert "smoke" in ours["found"]  # the wheel and not the checkout
