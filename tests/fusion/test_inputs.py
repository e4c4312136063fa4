"""What fit refuses before the first step: labels and predictions that teach nonsense without an error."""

import keras
import numpy as np
import pytest

from dmf_cli import fuse, losses
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import FusedModel
from tests.fusion.toys import BATCH, STEPS, TERMS, Batches, X, Y, network
from tests.raised import raises


def sigmoid() -> keras.Model:
    return keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")], name="sigmoid"
    )


def logits(channels: int) -> keras.Model:
    head = keras.layers.Conv2D(channels, 1, bias_initializer=keras.initializers.Constant(3.0))
    return keras.Sequential([keras.Input((8, 8, 1)), head])


def compiled(net: keras.Model, terms=TERMS, **options) -> FusedModel:
    model = FusedModel(net, terms, "fixed", **options)
    model.compile("sgd")
    return model


MASKS, LABELS = Y[..., 1:], Y.argmax(-1)


@pytest.mark.parametrize(
    ("net", "y", "match"),
    [
        (
            sigmoid,
            (255 * MASKS).astype("uint8"),
            r"0 to 255: give a mask .* \(divide it by 255\)",
        ),
        (sigmoid, 1 + MASKS, "values from 1 to 2: give a mask of 0 and 1"),
        (sigmoid, Y, "y_true has shape"),
        (network, LABELS, "y_true has shape .* one-hot encode integer labels first"),
        (network, LABELS[..., None], "y_true has shape .* one-hot encode integer labels first"),
        (network, 255 * Y, "values from 0 to 255: give one-hot labels of 2 classes"),
        (network, 0 * Y, "does not sum to 1"),
        (lambda: logits(1), MASKS, "y_pred has values from .*the output of a softmax or a sigmoid"),
        (lambda: logits(2), Y, "y_pred has values from .*the output of a softmax or a sigmoid"),
    ],
)
@pytest.mark.parametrize("kind", ["arrays", "dataset", "generator", "validation", "validation dataset"])
def test_one_line_before_the_first_step(net, y, match: str, kind: str) -> None:
    model = compiled(net())
    before = model.get_weights()
    good = (MASKS if model.network.output_shape[-1] == 1 else Y)[: len(X)]
    first = (X[:BATCH], y[:BATCH])
    data = {
        "arrays": (X, y),
        "dataset": (Batches(X, y), None),
        "generator": ((first for _ in range(STEPS)), None),
        "validation": (X, good),
        "validation dataset": (X, good),
    }[kind]
    validation = {"validation": (X, y), "validation dataset": Batches(X, y)}.get(kind)
    with pytest.raises(ConfigError, match=match) as caught:
        model.fit(*data, verbose=0, validation_data=validation)
    assert "\n" not in str(caught.value)
    assert model.memory["step"] == 0
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_labels_are_not_found_under_another_key() -> None:
    with raises(ConfigError, key="y", reason="has the keys masks", allowed='under the key "labels"'):
        compiled(network()).fit(X, {"masks": Y}, verbose=0)


def test_a_mask_of_255_is_found_wherever_it_is() -> None:
    y = np.zeros((600, 8, 8, 1), "uint8")
    y[-1] = 255
    with raises(ConfigError, key="y_true", allowed="divide it by 255"):
        compiled(sigmoid()).fit(np.zeros(y.shape, "float32"), y, verbose=0)


def test_no_batch_of_a_generator_is_lost() -> None:
    model = compiled(network())
    model.fit(((X[:BATCH], Y[:BATCH]) for _ in range(STEPS)), steps_per_epoch=STEPS, shuffle=False, verbose=0)
    assert model.memory["step"] == STEPS


def test_labels_of_losses_of_others_are_their_own_business() -> None:
    model = compiled(logits(2), {"ce": keras.losses.SparseCategoricalCrossentropy(from_logits=True)})
    model.fit(X, LABELS[..., None], verbose=0)
    assert model.memory["step"] == 1
    mine = losses.get("ce", class_weights=[1, 5])
    with raises(ConfigError, key="y_true", hint="one-hot encode"):
        compiled(logits(2), {"ce": mine}).fit(X, LABELS[..., None], verbose=0)


def test_the_look_can_be_skipped() -> None:
    compiled(logits(2), check=False).fit(X, Y, verbose=0)


def test_a_network_that_gives_several_outputs_when_it_runs() -> None:
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def call(self, inputs):
            return {"a": self.inner(inputs), "b": self.inner(inputs)}

    model = fuse(Two(), TERMS, "fixed")
    model.compile("sgd")
    with raises(ConfigError, key="the network", reason="gives 2 outputs"):
        model.fit(X, Y, verbose=0)
