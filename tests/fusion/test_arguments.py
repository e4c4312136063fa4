"""FusedModel and fuse: terms in every form, and what they refuse."""

import math

import keras
import numpy as np
import pytest

from dmf_cli import Auxiliary, conf_files, fuse, losses, weighting
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.fusion import FusedModel
from tests.fusion.toys import BATCH, STEPS, TERMS, Batches, X, Y, fit, fused, network
from tests.raised import raises


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
    ("make", "key", "value"),
    [
        (lambda: fuse(network(), []), "terms", ...),
        (lambda: fuse(network(), {}), "terms", ...),
        (lambda: fuse(network(), ["dice", "dice"]), "terms", ["dice", "dice"]),
        (
            lambda: fuse(network(), "dice:0.7+ce:0.3", weighting.get("var", prior=[1, 2])),
            "weighting.prior",
            [1.0, 2.0],
        ),
        (lambda: fuse(two_outputs(), TERMS), "the network", ...),
        (lambda: fuse(network(), [losses.dice]), "a loss term without a name", losses.dice),
        (lambda: fuse(network(), {"dice": 3}), "a loss term", 3),
        (lambda: fuse(network(), TERMS, "varr"), "weighting", "varr"),
        (lambda: fuse(network(), TERMS, weighting.var), "weighting", weighting.var),
        (lambda: fuse(network(), TERMS, weighting.get("fixed", prior=[1])), "weighting.prior", [1.0]),
        (lambda: fuse(network(), TERMS, auxiliary="cbdice"), "auxiliary", "cbdice"),
        (lambda: fuse(network(), TERMS, auxiliary=Auxiliary("cbdcie")), "loss", "cbdcie"),
        (lambda: fused(insight_every=-1), "insight_every", -1),
        (lambda: FusedModel(network(), TERMS, insight_every=5), "insight_every", 5),
        (lambda: Auxiliary("dice", gamma0=-1), "auxiliary.gamma0", -1),
        (lambda: Auxiliary("dice", decay=math.nan), "auxiliary.decay", math.nan),
        (lambda: Auxiliary("dice", every=0), "auxiliary.every", 0),
        (lambda: Auxiliary("dice", every=2.5), "auxiliary.every", 2.5),
        (lambda: Auxiliary("dice", gamma0=math.inf), "auxiliary.gamma0", math.inf),
    ],
)
def test_a_wrong_argument(make, key: str, value) -> None:
    with raises(ConfigError, key=key) as caught:
        make()
    assert repr(caught.value.value) == repr(value)
    assert caught.value.allowed or caught.value.hint


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: fuse(network(), []), 'no loss terms: name at least one, for example ["dice", "bce"]'),
        (
            lambda: fuse(two_outputs(), TERMS),
            "the network has 2 outputs: give one that ends in the probabilities, "
            "keras.Model(network.inputs, network.outputs[0])",
        ),
        (
            lambda: FusedModel(network(), TERMS, insight_every=5),
            "insight_every is 5, and record_steps 0: give whole numbers of steps; insight is recorded among "
            "the recorded steps",
        ),
        (
            lambda: Auxiliary("dice", every=2.5),
            "auxiliary.every is 2.5: give a whole number of 1 or above",
        ),
    ],
)
def test_the_whole_line(make, line: str) -> None:
    with raises(ConfigError) as caught:
        make()
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("terms", "match"),
    [
        ("dice+dcie", "unknown loss term 'dcie': did you mean 'dice'"),
        ("dice+dice", "twice: give it once"),
        ("dice:0", "give a number above 0"),
    ],
)
def test_a_wrong_expression(terms: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        fuse(network(), terms)


def test_an_unknown_term_is_an_unknown_name() -> None:
    with raises(UnknownNameError, value="dcie"):
        fuse(network(), ["dcie"])


def two_outputs() -> keras.Model:
    net = network()
    return keras.Model(net.inputs, [net.outputs[0], net.outputs[0]])


@pytest.mark.parametrize(
    ("name", "value"), [("sample_weight", np.ones(len(X))), ("class_weight", {0: 1.0, 1: 5.0})]
)
def test_weights_of_samples_and_of_classes_are_refused(name: str, value) -> None:
    with raises(ConfigError, key=name, hint="class_weights=[1, 5]"):
        fit(fused(), **{name: value})


@pytest.mark.parametrize("name", ["fixed", "var", "equal"])
def test_coefficients_of_an_expression_multiply_the_weights(name: str) -> None:
    model = fuse(network(), "dice:0.7+bce:0.3", name)
    assert model.terms == ("dice", "bce")
    expected = [0.5, 0.5] if name == "equal" else [0.7, 0.3]
    np.testing.assert_allclose(model.memory["weights"], expected, rtol=1e-6)
    model.compile("sgd")
    logs = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(0.7 * logs["loss.dice"] + 0.3 * logs["loss.bce"], rel=1e-5)


def test_coefficients_of_an_expression_and_a_ready_strategy() -> None:
    model = fuse(network(), "3*dice+bce", weighting.get("fixed", total=None))
    np.testing.assert_allclose(model.memory["weights"], [3.0, 1.0])


@pytest.mark.parametrize("name", conf_files.options("weighting"))
def test_every_name_of_dmf_list_weightings(name: str) -> None:
    assert fuse(network(), TERMS, name).strategy.name == conf_files.lineage("weighting", name)[0]


def test_a_preset_has_its_own_parameters() -> None:
    strategy = fuse(network(), TERMS, "var_reference_pets").strategy
    assert (strategy.window, strategy.warmup) == (250, 100)
    assert fuse(network(), TERMS, "softadapt_reference").strategy.reference is True


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ((X, Y), {"batch_size": BATCH}),
        ((X, Y), {"batch_size": 3, "validation_split": 0.25}),
        ((Batches(), None), {}),
        (
            (((X[:BATCH], Y[:BATCH]) for _ in range(2 * STEPS)), None),
            {"steps_per_epoch": STEPS, "shuffle": False},
        ),
    ],
    ids=["arrays", "validation_split", "dataset", "generator"],
)
def test_dwa_learns_from_fit_how_long_an_epoch_is(data, options) -> None:
    model = fuse(network(), TERMS, "dwa")
    model.compile("sgd")
    with raises(ConfigError, key="weighting.steps_per_epoch", hint="use fit, or give"):
        model.train_on_batch(X[:BATCH], Y[:BATCH])
    model.fit(*data, epochs=2, verbose=0, **options)
    assert model.strategy.steps_per_epoch == STEPS
    assert model.memory["step"] == 2 * STEPS


def test_the_length_of_a_generator_is_not_known() -> None:
    model = fuse(network(), TERMS, "dwa")
    model.compile("sgd")
    with raises(ConfigError, key="steps_per_epoch", allowed="fit(steps_per_epoch"):
        model.fit(((X[:BATCH], Y[:BATCH]) for _ in range(2)), verbose=0)


def test_a_loss_in_compile_is_refused() -> None:
    model = fuse(network(), TERMS)
    model.compile("sgd", loss="mse")
    with raises(ConfigError, key="compile(loss=...)", allowed="an optimizer only"):
        fit(model)


def test_a_term_that_is_no_scalar_is_refused() -> None:
    model = fused({"per pixel": keras.losses.binary_crossentropy})
    with raises(ConfigError, key="loss term 'per pixel'", hint="a term must return a scalar"):
        fit(model)
