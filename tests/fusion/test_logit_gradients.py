"""Gradients of single losses at the logits, against the backend's own way through the head."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import losses
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import logit_gradients


def logits(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).normal(0, 2, (2, 5, 6, channels)).astype("float32")


def truth(channels: int) -> np.ndarray:
    labels = np.random.default_rng(7).integers(0, max(2, channels), (2, 5, 6))
    return (labels[..., None] if channels == 1 else np.eye(channels)[labels]).astype("float32")


def head(x):
    return ops.sigmoid(x) if x.shape[-1] == 1 else ops.softmax(x, axis=-1)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("name", ["ce", "dice", "cbdice"])
def test_equals_autodiff_through_the_head(name: str, channels: int, gradient) -> None:
    x, y = logits(channels), truth(channels)
    loss = losses.get(name)
    _, expected = gradient(lambda t: loss(y, head(t)), x)
    (found,) = logit_gradients.logit_gradients([lambda p: loss(y, p)], head(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=2e-4, atol=1e-7)


def test_a_loss_that_is_not_connected_has_none() -> None:
    def of_argmax(p):
        return ops.mean(ops.cast(ops.argmax(p, axis=-1), "float32"))

    (found,) = logit_gradients.logit_gradients([of_argmax], head(ops.convert_to_tensor(logits(2))))
    if keras.backend.backend() == "jax":  # where a missing gradient is zeros
        assert not np.any(ops.convert_to_numpy(found))
    else:
        assert found is None


def test_statistics_by_hand() -> None:
    rows = [np.array([[3.0, 4.0]]), np.array([[-6.0, -8.0]]), np.array([[4.0, -3.0]]), np.zeros((1, 2))]
    found = logit_gradients.gradient_statistics([ops.convert_to_tensor(r.astype("float32")) for r in rows])
    found = {name: ops.convert_to_numpy(value) for name, value in found.items()}
    np.testing.assert_allclose(found["norm"], [5, 10, 5, 0], rtol=1e-6)
    np.testing.assert_allclose(found["mean_abs"], [3.5, 7, 3.5, 0], rtol=1e-6)
    np.testing.assert_allclose(found["max_abs"], [4, 8, 4, 0], rtol=1e-6)
    cosine = [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(found["cosine"], cosine, atol=1e-6)


def test_tiny_and_huge_gradients_keep_their_norm_and_direction() -> None:
    rows = [np.array([3.0, 4.0]) * 1e-25, np.array([3.0, 4.0]) * 1e25]
    found = logit_gradients.gradient_statistics([ops.convert_to_tensor(r.astype("float32")) for r in rows])
    np.testing.assert_allclose(ops.convert_to_numpy(found["norm"]), [5e-25, 5e25], rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(found["cosine"]), np.ones((2, 2)), rtol=1e-5)


def test_values_and_gradients_come_from_one_evaluation() -> None:
    p, y, computed = head(ops.convert_to_tensor(logits(2))), truth(2), []

    def dice(p):
        computed.append(1)
        return losses.dice(y, p)

    values, gradients = logit_gradients.values_and_logit_gradients([dice, lambda p: losses.ce(y, p)], p)
    found = gradients()
    assert len(computed) == (2 if keras.backend.backend() == "jax" else 1)
    assert [float(v) for v in values] == [float(losses.dice(y, p)), float(losses.ce(y, p))]
    for gradient, loss in zip(found, (losses.dice, losses.ce), strict=True):
        (alone,) = logit_gradients.logit_gradients([lambda p, loss=loss: loss(y, p)], p)
        np.testing.assert_array_equal(ops.convert_to_numpy(gradient), ops.convert_to_numpy(alone))


def through_argmax(p):
    """Rounded forwards, the identity backwards."""

    @ops.custom_gradient
    def rounded(p):
        def back(*arguments, upstream=None):
            return arguments[0] if upstream is None else upstream

        return ops.round(p), back

    return ops.mean(ops.square(rounded(p)))


@pytest.mark.parametrize("loss", [lambda p: losses.dice(truth(2), p), through_argmax])
def test_a_surrounding_gradient_flows_through_the_values(loss, gradient) -> None:
    def both(t):
        values, gradients = logit_gradients.values_and_logit_gradients([loss], head(t))
        return values[0] + ops.sum(gradients()[0])  # which is cut off

    _, found = gradient(both, logits(2))
    _, expected = gradient(lambda t: loss(head(t)), logits(2))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert np.any(found)


def statistics(terms, p, due: bool, required: bool = True):
    _, gradients = logit_gradients.values_and_logit_gradients(list(terms.values()), p)
    due = ops.convert_to_tensor(due)
    return logit_gradients.term_statistics(list(terms), gradients, p, due, required=required)


def test_terms_that_are_due_are_measured_and_others_are_zeros() -> None:
    p, y = head(ops.convert_to_tensor(logits(2))), truth(2)
    terms = {"dice": lambda p: losses.dice(y, p), "ce": lambda p: losses.ce(y, p)}
    found = statistics(terms, p, True)
    expected = logit_gradients.gradient_statistics(logit_gradients.logit_gradients(list(terms.values()), p))
    for name, value in expected.items():
        np.testing.assert_allclose(ops.convert_to_numpy(found[name]), ops.convert_to_numpy(value), rtol=1e-6)
    found = statistics(terms, p, False)
    assert [found[name].shape for name in ("norm", "cosine")] == [(2,), (2, 2)]
    assert not any(np.any(ops.convert_to_numpy(value)) for value in found.values())


if keras.backend.backend() != "jax":  # where a missing gradient is zeros

    def test_a_term_without_a_gradient_is_an_error_where_it_is_needed() -> None:
        terms = {"hard": lambda p: ops.mean(ops.cast(ops.argmax(p, axis=-1), "float32"))}
        p = head(ops.convert_to_tensor(logits(2)))
        # Keras's cond raises it again with its text alone: there are no fields.
        with pytest.raises(ConfigError, match="'hard' has no gradient"):
            statistics(terms, p, True)
        found = statistics(terms, p, True, required=False)
        assert ops.convert_to_numpy(found["norm"]).tolist() == [0.0]


if keras.backend.backend() == "tensorflow":

    def test_ratios_and_cosines_at_the_logits_are_near_those_in_the_weights() -> None:
        path = Path(__file__).parents[2] / "scripts" / "gradient_gap.py"
        script = SimpleNamespace(**runpy.run_path(str(path)))
        rows = [
            row
            for part in script.moments(["dice", "ce", "cbdice"], size=16, filters=8, steps=[0, 10], batch=8)
            for row in part
        ]
        assert len(rows) == 4
        for row in rows:
            assert 2 / 3 < row["ratio logits"] / row["ratio weights"] < 3 / 2, row
            assert abs(row["cosine logits"] - row["cosine weights"]) < 0.25, row
        # The gradient at the probabilities would mislead.
        start = rows[0]
        assert start["ratio probabilities"] > 5 * start["ratio weights"]
