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
    options = (f"trainer.jit={jit}", "model.depth=1")  # XLA compiles half as long
    assert here(tmp_path / "a", *options) == elsewhere(tmp_path / "b", *options)


def test_another_seed_gives_other_weights(tmp_path):
    assert here(tmp_path / "a", "seed=0") != here(tmp_path / "b", "seed=1")


ADDS = """
import tensorflow as tf
from tensorflow.python.eager import context
from dmf_cli import config
from dmf_cli import runtime

runtime.start(config.compose(["trainer.device=cpu"]).trainer)


@tf.function
def three(x):
    return tf.add_n([tf.exp(x), tf.tanh(x), tf.nn.relu(x)])


context.enable_run_metadata()
three(tf.zeros((16, 128, 128, 64)))
graphs = [graph.post_optimization_graph for graph in context.export_run_metadata().function_graphs]
print(*(node.op for graph in graphs for node in graph.node))
"""


def test_large_gradients_are_added_in_one_order():
    """Above some 200 MB TensorFlow would add what comes first: runs of usual size would not repeat."""
    found = subprocess.run(
        [sys.executable, "-c", ADDS], check=True, capture_output=True, text=True, timeout=300
    )
    operations = found.stdout.split()
    assert "AddN" in operations
    assert "TemporaryVariable" not in operations
