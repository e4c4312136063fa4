"""Pixels that do not count: a loss has the value that it has without them, and no gradient there."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import losses
from dmf_cli.fusion import fuse
from dmf_cli.fusion.logit_gradients import logit_gradients
from dmf_cli.fusion.targets import Targets, term_value
from dmf_cli.metrics import ForegroundDice

SHAPES = ("boundary", "cldice", "distance_ce", "hausdorff")  # they look at neighbours
SUMS = [name for name in losses.__registry__ if name not in SHAPES]
OPTIONS = {
    "bce": [{"label_smoothing": 0.2}, {"class_weights": True}],
    "ce": [{"label_smoothing": 0.2}, {"class_weights": True}],
    "cbdice": [{"pool": "sample"}, {"absent": "max"}],
    "dice": [{"pool": "batch"}, {"background": False}],
    "focal": [{"class_weights": True}, {"alpha": 0.3}],
    "lovasz": [{"pool": "batch"}],
    "topk": [{"k": 37.0}, {"pool": "sample"}, {"label_smoothing": 0.1}],
    "unified_focal": [{"form": "symmetric"}],
}
CASES = [(name, options) for name in SUMS for options in ({}, *OPTIONS.get(name, ()))]


@pytest.fixture(params=[1, 2, 3])
def batch(request):
    """Labels, probabilities and the mask of two images of which as many pixels count, in other places."""
    channels, rng = request.param, np.random.default_rng(request.param)
    labels = rng.integers(0, max(2, channels), (2, 6, 8))
    p = rng.uniform(0.02, 0.98, (2, 6, 8, channels)).astype("float32")
    y = labels[..., None].astype("float32") if channels == 1 else np.eye(channels, dtype="float32")[labels]
    p = p if channels == 1 else p / p.sum(-1, keepdims=True)
    valid = np.stack([rng.permutation(48) < 31 for _ in range(2)]).reshape(2, 6, 8, 1)
    return y, p, valid


def targets(y, valid):
    return Targets(np.where(valid, y, 0.0).astype("float32"), valid.astype("float32"))


def cut(tensor, valid):
    return tensor[valid[..., 0]].reshape(2, 31, -1)


def loss_of(name, options, channels):
    weights = {1: [0.3, 0.7], 2: [0.3, 0.7], 3: [0.2, 0.3, 0.5]}[channels]
    return losses.get(name, **{k: weights if v is True else v for k, v in options.items()})


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{'-'.join(o)}" for n, o in CASES])
def test_the_value_is_that_of_the_images_without_them(batch, name, options):
    y, p, valid = batch
    loss = loss_of(name, options, y.shape[-1])
    found = float(term_value(name, loss, targets(y, valid), p))
    assert found == pytest.approx(float(loss(cut(y, valid), cut(p, valid))), rel=2e-5, abs=1e-6)
    assert found != pytest.approx(float(loss(y, p)), rel=1e-3)  # they would have mattered


@pytest.mark.parametrize("name", losses.__registry__)
def test_what_is_predicted_there_changes_nothing(batch, name):
    y, p, valid = batch
    loss, other = losses.get(name), np.where(valid, p, np.roll(p, 1, axis=-1) if p.shape[-1] > 1 else 1 - p)
    one, two = (float(term_value(name, loss, targets(y, valid), each)) for each in (p, other))
    assert one == two
    (gradient,) = logit_gradients([lambda x: term_value(name, loss, targets(y, valid), x)], p)
    gradient = ops.convert_to_numpy(gradient)
    assert not gradient[~valid[..., 0]].any()
    assert gradient.any()


def test_a_nan_there_changes_nothing(batch):
    y, p, valid = batch
    other = np.where(valid, p, np.nan).astype("float32")
    one, two = (float(term_value("ce", losses.get("ce"), targets(y, valid), each)) for each in (p, other))
    assert one == two


def test_boundary_sees_the_distances_that_it_is_given(batch):
    y, p, valid = batch
    distance = np.random.default_rng(0).normal(0, 3, y.shape).astype("float32")
    loss = losses.get("boundary")
    found = term_value("boundary", loss, replace(targets(y, valid), maps={"distance": distance}), p)
    wanted = loss(cut(y, valid), cut(p, valid), cut(distance, valid))
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_nothing_that_counts_gives_a_loss_that_is_finite(batch):
    y, p, valid = batch
    for name in losses.__registry__:
        assert np.isfinite(float(term_value(name, losses.get(name), targets(y, valid & False), p))), name


def network(channels):
    inputs = keras.Input((6, 8, 1))
    head = "sigmoid" if channels == 1 else "softmax"
    return keras.Model(inputs, keras.layers.Conv2D(channels, 3, padding="same", activation=head)(inputs))


def test_a_fused_model_trains_and_validates_without_them(batch):
    """Other labels there, and the same steps: terms, auxiliary loss and the metric of the validation."""
    from dmf_cli import Auxiliary

    y, _, valid = batch
    x = np.random.default_rng(5).normal(size=(2, 6, 8, 1)).astype("float32")
    logs, states = [], []
    for labels in (y, np.where(valid, y, 1.0 - y).astype("float32")):
        keras.utils.set_random_seed(0)
        model = fuse(network(y.shape[-1]), "dice+bce", "fixed", Auxiliary("cbdice"))
        model.compile(keras.optimizers.SGD(0.1), metrics=[ForegroundDice()])
        truth = {"labels": labels, "valid": valid.astype("float32")}
        history = model.fit(x, truth, validation_data=(x, truth), epochs=2, batch_size=2, verbose=0).history
        logs.append(history)
        states.append(model.network.get_weights())
    assert logs[0] == logs[1]
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)
