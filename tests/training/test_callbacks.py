"""What to do about a loss that became NaN: nothing that is the case already."""

import math
from types import SimpleNamespace

import keras
import pytest

from dmf_cli.errors import NonFiniteError
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
