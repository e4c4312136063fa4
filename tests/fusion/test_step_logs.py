"""What a compiled step returns of the terms: one vector inside, the numbers that Keras expects outside."""

import keras
import numpy as np
import pytest

from dmf_cli.fusion.step_logs import VECTOR, Packing, StepNumber, StepVector
from tests.fusion.toys import BATCH, X, Y, fused


class Logs(keras.callbacks.Callback):
    """The logs of each step, as callbacks get them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.rows.append(dict(logs))


def test_callbacks_get_numbers_under_the_same_names_as_the_epoch() -> None:
    model, seen = fused(), Logs()
    history = model.fit(X, Y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[seen]).history
    assert set(seen.rows[0]) == set(history)
    assert {type(value) for value in seen.rows[0].values()} == {float}
    assert seen.rows[-1] == {name: values[0] for name, values in history.items()}
    assert seen.rows[0] != seen.rows[-1]


def test_one_batch_gives_the_same_logs() -> None:
    logs = fused().train_on_batch(X[:BATCH], Y[:BATCH], return_dict=True)
    other = fused().fit(X[:BATCH], Y[:BATCH], batch_size=BATCH, verbose=0).history
    known = {name: values[0] for name, values in other.items()}  # by another compilation: not to the last bit
    assert {name: float(value) for name, value in logs.items()} == pytest.approx(known, rel=1e-6)


def test_a_compiled_step_of_tensorflow_returns_one_vector() -> None:
    model = fused()
    inside: list[dict] = []
    around = model._packing.around

    def watched(function):
        return around(lambda batches: inside.append(function(batches)) or inside[-1])

    model._packing.around = watched
    model.train_on_batch(X[:BATCH], Y[:BATCH])
    assert set(inside[0]) == {"loss", VECTOR}
    assert inside[0][VECTOR].shape == (len(model._means.columns),)


def test_a_step_of_ones_own_returns_what_it_did() -> None:
    assert set(fused().get_metrics_result()) >= {"loss.dice", "weight.bce", "objective"}


@pytest.mark.parametrize(
    "own", [lambda model: {"loss": 1.0}, lambda model: {m.name: m.result() for m in model.metrics}]
)
def test_a_subclass_may_return_logs_of_its_own(monkeypatch, own) -> None:
    model = fused()
    monkeypatch.setattr(model, "train_step", lambda data: own(model))
    history = model.fit(X, Y, batch_size=BATCH, verbose=0).history
    assert history["loss"]
    assert not any(isinstance(value, StepNumber) for values in history.values() for value in values)


def test_entries_are_read_together_and_once() -> None:
    read = []

    class Vector:
        def __array__(self, dtype=None, copy=None):
            read.append(1)
            return np.array([1.5, 2.5], "float32")

    row = StepVector(Vector())
    first, second = StepNumber(row, 0), StepNumber(row, 1)
    assert read == []
    assert (float(first), float(second), np.array(second).dtype) == (1.5, 2.5, np.float32)
    assert read == [1]


def test_packing_ends_with_a_step_that_fails() -> None:
    packing = Packing(["a"], lambda: None)
    with pytest.raises(ZeroDivisionError):
        packing.around(lambda batches: 1 // 0)(None)
    assert packing.packed({"a": 1, "loss": 2}) == {"a": 1, "loss": 2}
