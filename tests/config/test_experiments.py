"""The studies: every job of every experiment composes, and each Makefile target is one command that does."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from dmf_cli import conf_files, config
from dmf_cli.cli.main import main
from dmf_cli.config import composer
from dmf_cli.config.headers import read_header
from dmf_cli.sweeps import conclusion

ROOT = Path(__file__).parent.parent.parent
FOLDER = conf_files.conf_dir() / "experiment"
STUDIES = sorted(file.stem for file in FOLDER.glob("*.yaml") if "\nhydra:" in file.read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^(reproduce-[a-z-]+):.*?; (.*)\n\t\$\(call sweep,(\w+)\)$", MAKEFILE, re.MULTILINE)
PARTS = "reproduce_recipe_parts"  # runs more than once in the target of another study
TINY = [
    "dataset.count=24",
    "dataset.size=16",
    "dataset.image_size=16",
    "model.filters=2",
    "trainer.epochs=3",
    "trainer.batch_size=4",
]


def jobs_of(name):
    """The overrides of each job, one a seed: seeds do not change what composes."""
    found = composer.sweep([f"experiment={name}"]).jobs
    seeds = {word for job in found for word in job if word.startswith("seed=")}
    return [job for job in found if not seeds or min(seeds) in job]


@pytest.mark.parametrize("name", STUDIES)
def test_every_job_composes_and_can_be_compared(name):
    jobs = [config.compose(job) for job in jobs_of(name)]
    assert len({config.to_yaml(job) for job in jobs}) == len(jobs) > 1
    (root,) = {job.output_root for job in jobs}
    assert root.startswith("outputs/reproduce/")
    assert jobs[0].sweep.compare or name == PARTS
    conclusion.check(jobs[0].sweep, jobs)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_says_how_long_it_takes(name):
    header = read_header(FOLDER / f"{name}.yaml")
    assert header.run.startswith(f"dmf train -m experiment={name}")
    assert re.fullmatch(r"[\w .-]+ on 2 cores, .* on a GPU .*", header.time)
    assert [time for _, time, study in TARGETS if study == name] == [header.time] * (name != PARTS)


def test_every_target_runs_its_study():
    names = {target: name for target, _, name in TARGETS}
    assert sorted([*names.values(), PARTS]) == STUDIES
    command = ["make", "-n", *names, "DIR=some images", "ARGS=trainer.epochs=3 seed=5"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    lines = [shlex.split(line) for line in said if line.startswith(".venv/bin/dmf train")]
    rest = ["dataset.dir=some images", "trainer.epochs=3", "seed=5"]
    studies = dict.fromkeys(words[3] for words in lines)
    assert list(studies) == [f"experiment={name}" for name in [*names.values(), PARTS]]
    assert all(words[1:3] + words[4:7] == ["train", "-m", *rest] for words in lines)
    (job, *_) = composer.sweep(["experiment=reproduce_quick", *rest[1:]]).jobs
    assert config.compose(job).plain["trainer"]["epochs"] == 3


def test_the_quick_study_ends_in_a_comparison_and_is_not_run_twice(tmp_path, capsys):
    command = ["train", "-m", "experiment=reproduce_quick", *TINY, "weighting=fixed,var", "seed=0"]
    command += [f"output_root={tmp_path}", "sweep.isolate=false", "report=false"]
    assert main(command) == 0
    assert "Result" in capsys.readouterr().out
    made = {file.name for file in (tmp_path / "comparison").iterdir()}
    assert {"comparison.md", "differences.png"} <= made
    assert "report.html" not in made
    assert len(list(tmp_path.glob("*/*/status.json"))) == 2
    assert main([*command, "--dry-run"]) == 0
    assert "0 to run, 2 done" in capsys.readouterr().out


def test_a_baseline_that_no_job_has_is_told_at_once(tmp_path, capsys):
    command = ["train", "-m", "experiment=reproduce_quick", "weighting=mad,var", f"output_root={tmp_path}/x"]
    assert main(command) == 2
    assert "no job has weighting=fixed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
