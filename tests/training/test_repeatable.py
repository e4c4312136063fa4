"""The same seed gives the same bits in another process, with XLA and without; another seed does not."""

import subprocess
import sys

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.training import trainer
from tests.training.conftest import TINY


def weights(folder):
    with np.load(folder / "checkpoints/last.npz") as archive:
        return [archive[key].tobytes() for key in sorted(archive.files) if key != "note"]


def overrides(folder, *more):
    return [*TINY, "model.dropout=0.2", f"run_dir={folder}", *more]


def elsewhere(folder, *more):
    """Train in a process of its own, through the command."""
    command = [sys.executable, "-m", "dmf_cli", "train", *overrides(folder, *more)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return weights(folder)


def here(folder, *more):
    return weights(trainer.train(configs.compose(overrides(folder, *more))))


@pytest.mark.parametrize("jit", ["false", "true"])
def test_two_processes_give_the_same_bits(tmp_path, jit):
    assert here(tmp_path / "a", f"trainer.jit={jit}") == elsewhere(tmp_path / "b", f"trainer.jit={jit}")


def test_another_seed_gives_other_weights(tmp_path):
    assert here(tmp_path / "a", "seed=0") != here(tmp_path / "b", "seed=1")
