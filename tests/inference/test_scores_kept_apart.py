"""Scores of a network that is not, or not for good, the best one of its run have another name."""

import pytest

from dmf_cli import hashes
from dmf_cli.errors import ConfigError
from dmf_cli.inference import own_scores
from dmf_cli.inference.ensemble import Member
from dmf_cli.run_folder.folder import RunFolder
from tests.raised import raises


@pytest.fixture
def run(tmp_path):
    run = RunFolder.claim(tmp_path / "run")
    run.write_config("")
    run.write_status("running")
    run.best_model.write_bytes(b"of epoch 1")
    return run


def scored(run):
    return Member(run, None, content=hashes.of_file(run.best_model))


def test_the_scores_of_a_run_that_trains_are_not_its_own(run, tmp_path):
    member = scored(run)
    other = f"test_network={member.content[:12]}"
    assert own_scores.kept_apart(member, "test", run.path) == other
    assert own_scores.kept_apart(member, "test", tmp_path) == "test", "nothing is there that it would replace"
    run.write_status("completed")
    run.release()
    assert own_scores.kept_apart(member, "test", run.path) == "test"
    run.best_model.write_bytes(b"of epoch 2")
    assert own_scores.kept_apart(member, "test", run.path) == other, "it was scored while the run went on"
    assert own_scores.kept_apart(member, other, run.path) == other


def test_a_run_takes_no_scores_of_another_one(run, tmp_path):
    own_scores.check_output([run.path], run.path)
    own_scores.check_output([run.path, tmp_path], tmp_path / "ensemble")
    for paths in ([tmp_path / "other"], [run.path, tmp_path / "other"]):
        with raises(ConfigError, key="-o", value=run.path, reason="is a run"):
            own_scores.check_output(paths, run.path)
