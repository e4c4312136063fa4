"""The losses against numbers that other projects' own code gave."""

import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from dmf_cli import losses

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "losses.json").read_text())


def logits_and_labels(case: str) -> tuple[np.ndarray, np.ndarray]:
    """Channels-last logits and one-hot labels of the same shape."""
    stored = GOLDEN["cases"][case]
    raw = next(value for key, value in stored.items() if key.startswith("logits"))
    logits = np.moveaxis(np.array(raw, "float32"), 1, -1)
    labels = np.array(stored["labels"])
    classes = logits.shape[-1]
    return logits, (np.eye(classes)[labels] if classes > 1 else labels[..., None]).astype("float32")


def head(logits, vector: dict):
    kind = vector.get("head", GOLDEN["cases"][vector["case"]]["head"])
    p = ops.softmax(logits, axis=-1) if kind == "softmax" else ops.sigmoid(logits)
    if vector.get("two_channels"):
        return ops.concatenate([1.0 - p, p], axis=-1)
    return p[..., None] if vector.get("classes_as_space") else p


def labels_for(y_true: np.ndarray, vector: dict) -> np.ndarray:
    if vector.get("two_channels"):
        return np.concatenate([1.0 - y_true, y_true], axis=-1)
    return y_true[..., None] if vector.get("classes_as_space") else y_true


def ours(vector: dict):
    """The loss of the vector, or the sum of terms that it is."""
    terms = vector.get("sum") or [[vector.get("factor", 1.0), vector["loss"], vector["params"]]]
    parts = [(factor, losses.get(name, **params)) for factor, name, params in terms]
    return lambda y, p: sum((f * loss(y, p) for f, loss in parts), vector.get("offset", 0.0))


@pytest.mark.parametrize("vector", GOLDEN["vectors"], ids=lambda v: v["id"])
def test_value_and_gradient_of_the_peers(vector: dict, gradient) -> None:
    logits, y_true = logits_and_labels(vector["case"])
    y_true, loss = labels_for(y_true, vector), ours(vector)
    value, slope = gradient(lambda t: loss(y_true, head(t, vector)), logits)
    assert value == pytest.approx(vector["value"], rel=1e-5, abs=2e-6)
    if "grad_abs_sum" in vector:
        assert np.abs(slope).sum() == pytest.approx(vector["grad_abs_sum"], rel=2e-4, abs=2e-6)


def test_every_vector_of_the_peers_is_matched_or_has_a_reason() -> None:
    matched = [vector["id"] for vector in GOLDEN["vectors"]]
    assert len(matched) == len(set(matched)) == 120
    assert not set(matched) & set(GOLDEN["unmatched"])
    assert all(GOLDEN["unmatched"].values())
    assert len(GOLDEN["unmatched"]) == 18  # 138 vectors of losses in all


@pytest.mark.parametrize("case", ["C", "D"])
def test_bce_is_the_float64_formula_on_logits(case: str, gradient) -> None:
    logits, y_true = logits_and_labels(case)
    exact = np.mean(np.logaddexp(0.0, logits.astype("float64")) - y_true * logits)
    value, slope = gradient(lambda t: losses.bce(y_true, ops.sigmoid(t)), logits)
    assert value == pytest.approx(exact, rel=1e-5, abs=2e-7)
    np.testing.assert_allclose(
        slope, (1 / (1 + np.exp(-logits)) - y_true) / logits.size, rtol=1e-3, atol=1e-7
    )


@pytest.mark.parametrize("case", ["A", "C", "D"])
def test_the_default_cbdice_ignores_an_absent_class(case: str) -> None:
    logits, y_true = logits_and_labels(case)
    p = head(logits, {"case": case})
    values = {rule: float(losses.cbdice(y_true, p, absent=rule)) for rule in ("zero", "max", "reference")}
    assert float(losses.cbdice(y_true, p)) == values["zero"]
    if case == "D":  # no lesion at all: the notebook's rule calls a nearly perfect prediction hopeless
        assert values["zero"] < 1e-4 < 0.4 < values["max"] < values["reference"]
    else:
        assert len(set(values.values())) == 1
