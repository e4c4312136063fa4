"""FusedModel and fuse: terms in every form, and what they refuse."""

import keras
import numpy as np
import pytest

from dmf_cli import Auxiliary, fuse, losses, weighting
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.fusion import FusedModel
from tests.fusion.toys import TERMS, X, Y, fit, fused, network


@pytest.mark.parametrize(
    "terms",
    [
        ["dice", "bce"],
        ("dice", "bce"),
        "dice + bce",
        {"dice": "dice", "bce": losses.bce},
    ],
)
def test_terms_in_every_form(terms) -> None:
    model = fuse(network(), terms)
    assert model.terms == ("dice", "bce")
    model.compile("sgd")
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    y_pred = model.predict(X, verbose=0)
    assert logs["loss.dice"] == pytest.approx(float(losses.dice(Y, y_pred)), rel=1e-4)
    assert logs["loss.bce"] == pytest.approx(float(losses.bce(Y, y_pred)), rel=1e-4)


def test_a_loss_object_of_keras_is_a_term() -> None:
    model = fused({"error": keras.losses.MeanSquaredError()})
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert logs["loss.error"] == pytest.approx(np.square(Y - model.predict(X, verbose=0)).mean(), rel=1e-4)


def test_a_metric_and_a_single_term() -> None:
    model = fuse(network(), ["dice"], weighting.get("var", warmup=2, window=4))
    model.compile("sgd", metrics=[keras.metrics.MeanSquaredError(name="mse")])
    logs = fit(model)
    assert logs["weight.dice"] == [1.0]
    assert "mse" in logs


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: fuse(network(), []), "no loss terms"),
        (lambda: fuse(network(), {}), "no loss terms"),
        (lambda: fuse(network(), "dice+dcie"), "unknown loss 'dcie': did you mean 'dice'"),
        (lambda: fuse(network(), ["dice", "dice"]), "once"),
        (lambda: fuse(network(), [losses.dice]), "without a name"),
        (lambda: fuse(network(), {"dice": 3}), "a loss term is 3"),
        (lambda: fuse(network(), TERMS, "varr"), "unknown weighting 'varr': did you mean 'var'"),
        (lambda: fuse(network(), TERMS, weighting.var), "weighting is <class"),
        (
            lambda: fuse(network(), TERMS, weighting.get("fixed", prior=[1])),
            "1 coefficients for 2 loss terms",
        ),
        (lambda: fuse(network(), TERMS, auxiliary="cbdice"), "auxiliary is 'cbdice'"),
        (lambda: fuse(network(), TERMS, auxiliary=Auxiliary("cbdcie")), "did you mean 'cbdice'"),
        (lambda: fused(insight_every=-1), "insight_every is -1"),
        (lambda: FusedModel(network(), TERMS, insight_every=5), "record_steps 0"),
        (lambda: Auxiliary("dice", gamma0=-1), "auxiliary.gamma0 is -1: give a number of 0 or above"),
        (lambda: Auxiliary("dice", decay=float("nan")), "auxiliary.decay is nan"),
        (lambda: Auxiliary("dice", every=0), "auxiliary.every is 0: give a whole number of 1 or above"),
        (lambda: Auxiliary("dice", every=2.5), "auxiliary.every is 2.5: give a whole number"),
        (lambda: Auxiliary("dice", gamma0=float("inf")), "auxiliary.gamma0 is inf"),
    ],
)
def test_a_wrong_argument(make, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        make()


def test_an_unknown_term_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError):
        fuse(network(), ["dcie"])


def test_sample_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match="sample_weight is not supported"):
        fit(fused(), sample_weight=np.ones(len(X)))


def test_a_loss_in_compile_is_refused() -> None:
    model = fuse(network(), TERMS)
    model.compile("sgd", loss="mse")
    with pytest.raises(ConfigError, match="give an optimizer only"):
        fit(model)


def test_a_term_that_is_no_scalar_is_refused() -> None:
    model = fused({"per pixel": keras.losses.binary_crossentropy})
    with pytest.raises(ConfigError, match=r"'per pixel' returned shape .* must return a scalar"):
        fit(model)
