"""Runs that are verified, and bundled: trained once, and copied for whoever changes one."""

import json
import shutil

import pytest

from dmf_cli import config as configs
from dmf_cli.training import trainer
from dmf_cli.verifying import rerun, verify
from tests.training.conftest import TINY
from tests.undrawn import undrawn


@pytest.fixture(autouse=True)
def _figures_are_composed_and_not_drawn():
    with undrawn():
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A tiny run of two epochs of four steps."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with undrawn():
        trainer.train(configs.compose([*TINY, "model.dropout=0.2", f"run_dir={folder}"]))
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def repeated(trained, monkeypatch):
    """What training again gives, without training again: the folder itself, and its environment."""

    def again(config, folder, steps, shown):
        environment = json.loads((trained / "environment.json").read_text())
        return rerun.Rerun(verify.RunFolder(trained), environment)

    monkeypatch.setattr(verify, "rerun", again)
