"""Which network is the best after a fallback, and what to do about a loss that became NaN."""

import math
from types import SimpleNamespace

import keras
import pytest

from dmf_cli.errors import NonFiniteError
from dmf_cli.run_folder import network_record
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import callbacks
from tests.raised import raises


@pytest.mark.parametrize(
    ("policy", "advised"), [("float32", False), ("mixed_bfloat16", False), ("mixed_float16", True)]
)
def test_float32_is_advised_where_it_would_help(monkeypatch, policy, advised):
    monkeypatch.setattr(keras.config, "dtype_policy", lambda: SimpleNamespace(name=policy))
    writer = callbacks.EpochWriter(None, "val_objective", [], print, stop=True)
    nan = SimpleNamespace(path="bn/moving_mean", value=keras.ops.convert_to_tensor([math.nan]))
    writer.set_model(SimpleNamespace(terms=("dice",), network=SimpleNamespace(non_trainable_variables=[nan])))
    step = {"step": 1, "loss": math.nan, "loss.dice": math.nan, "aux": 0.0}
    for check in (lambda: writer._check_finite(1, [step]), lambda: writer._check_statistics(1)):
        with raises(NonFiniteError, hint="optimizer.learning_rate") as caught:
            check()
        assert ("trainer.precision=float32" in str(caught.value)) == advised


@pytest.fixture
def run(tmp_path):
    run = RunFolder.claim(tmp_path / "run")
    run.write_config("seed: 0\n")
    run.write_status("running", epoch=3, best={"epoch": 3, "val_foreground_dice": 0.0117})
    run.best_model.write_text("old")
    return run


def test_after_a_fallback_the_best_network_is_that_of_the_checkpoint(run):
    """The newest checkpoint is damaged: the network that it called the best came after."""
    for epoch, text in ((4, "of epoch 4"), (5, "of epoch 5")):
        run.unfinished_model(epoch).write_text(text)
        hash_ = network_record.write(run, run.unfinished_model(epoch))
        run.settle_best({"epoch": epoch, "best_epoch": epoch})
        if epoch == 4:
            older = {"epoch": 4, "best_epoch": 4, "network": hash_}
    assert run.best_model.read_text() == "of epoch 5"
    assert run.best_after(older) == run.model_before
    run.settle_best(older)
    assert run.best_model.read_text() == "of epoch 4"
    network_record.check(run)
