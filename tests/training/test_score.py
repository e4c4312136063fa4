"""The network of a run that is not there or not whole."""

import zipfile

import pytest

from dmf_cli.errors import CheckpointError
from dmf_cli.results.run_folder import RunFolder
from dmf_cli.training import score


@pytest.fixture
def run(tmp_path):
    found = RunFolder(tmp_path)
    found.checkpoints.mkdir()
    return found


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("interrupted", "no epoch of this run was finished; `dmf resume` goes on with it"),
        ("completed", "the run is complete: put a copy of it back, or train the run again"),
    ],
)
def test_a_missing_network(run, state, says):
    run.write_status(state)
    with pytest.raises(CheckpointError, match=says):
        score.load_network(run.best_model)


def cut(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}" * 100)
    file.write_bytes(file.read_bytes()[:-30])


def other(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "no network")


@pytest.mark.parametrize(("damage", "what"), [(cut, "is damaged: "), (other, r"cannot be read \(.*\): ")])
def test_a_damaged_network_is_one_line_that_says_what_to_do(run, damage, what):
    damage(run.best_model)
    says = rf"best\.keras {what}put a whole copy of it back, or train the run again"
    with pytest.raises(CheckpointError, match=says) as told:
        score.load_network(run.best_model)
    assert "File not found" not in str(told.value)
