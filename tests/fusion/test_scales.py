"""Deep supervision: which maps, which labels, what is trained on, and what does not notice."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from dmf_cli import Auxiliary, fuse, losses, models, weighting
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import FusedModel
from dmf_cli.fusion.scales import Scales, at_scale
from dmf_cli.fusion.targets import Targets, Tensor
from dmf_cli.ops.backend import to_numpy
from dmf_cli.parts.definitions import of_package
from dmf_cli.training.callbacks import _nonfinite
from tests.fusion.toys import BATCH, X, Y, network
from tests.raised import raises

SHARES = np.array([4.0, 2.0, 1.0]) / 7.0


def small() -> keras.Model:
    """A U-Net of four scales without skips."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 1))
    for name in ("down_1", "down_2", "down_3"):
        x = layers.Conv2D(3, 3, strides=2, padding="same", name=name)(x)
    for name in ("up_2", "up_1"):
        x = layers.Conv2D(3, 3, padding="same", name=name)(layers.UpSampling2D()(x))
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(layers.UpSampling2D()(x)))


def test_the_map_of_a_scale_is_the_one_nearest_to_the_end() -> None:
    names = [one._keras_history.operation.name for one in Scales(small(), 3).maps]
    assert names == ["up_1", "up_2", "down_3"]
    assert len(Scales(small(), "auto").maps) == 1  # neither the bottom nor what is above it
    np.testing.assert_allclose(Scales(small(), 2).weights, SHARES)


def test_a_network_without_such_maps_is_an_error() -> None:
    with raises(ConfigError, key="scales", value=1, allowed="0"):
        fuse(network(), "dice", scales=1)
    with raises(ConfigError, key="scales", value=4, allowed="at most 3"):
        fuse(small(), "dice", scales=4)


SHIPPED = {
    name: {} if name == "segformer" else {"filters": 4} for name in of_package("model") if name != "hub"
}
SHIPPED["unet_encoder"] |= {"pretrained": False}
KEPT = ["unet", "resunet", "unetpp", "nnunet", "unet_encoder"]


@pytest.fixture(scope="module", params=list(SHIPPED))
def shipped(request: pytest.FixtureRequest) -> keras.Model:
    """A small network of each kind; ``hub``, whose package is another, has none of its own."""
    return getattr(models, request.param)((64, 50, 1), 2, **SHIPPED[request.param])


def test_maps_are_those_of_the_decoder(shipped: keras.Model) -> None:
    if shipped.name in ("segformer", "deeplabv3plus"):
        with raises(ConfigError, key="scales", what="no scale below its output"):
            Scales(shipped, 1)
        return
    maps = Scales(shipped, 2).maps
    assert [tuple(one.shape[1:3]) for one in maps] == [(32, 25), (16, 13)]
    assert all(one.shape[-1] > 1 for one in maps)
    # The layer that a map enters makes it larger.
    for one in maps:
        users = [node for layer in shipped.layers for node in layer._inbound_nodes]
        users = [node for node in users if any(one is tensor for tensor in node.input_tensors)]
        assert any(node.output_tensors[0].shape[1] > one.shape[1] for node in users)
    if shipped.name in KEPT:  # there it is also the last of its size, whatever it is for
        by_size = {}
        for _, level in sorted(shipped._nodes_by_depth.items(), reverse=True):
            by_size |= {tuple(t.shape[1:3]): t for node in level for t in node.output_tensors}
        assert all(one is by_size[tuple(one.shape[1:3])] for one in maps)


def test_a_padded_map_is_not_a_finer_one() -> None:
    x = inputs = keras.Input((8, 8, 1))
    x = layers.ZeroPadding2D()(layers.Conv2D(3, 3, strides=2, padding="same")(x))
    x = layers.UpSampling2D(4)(layers.Conv2D(3, 3, strides=3)(x))
    with raises(ConfigError, key="scales", value=1, allowed="0"):
        fuse(keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x)), "dice", scales=1)


def test_sizes_that_are_not_known_are_an_error() -> None:
    inputs = keras.Input((None, None, 1))
    with raises(ConfigError, key="scales", value=1, allowed="known size"):
        fuse(keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(inputs)), "dice", scales=1)
    model = fuse(small(), {"dice": lambda y_true, y_pred: ops.mean(y_pred)}, "fixed", scales=1)
    model.compile(keras.optimizers.SGD(0.0))
    x = X[:BATCH]
    with raises(ConfigError, key="scales", what=f"shape {(BATCH, 8, 8)}", allowed="channels"):
        model.compute_loss(x, np.argmax(Y[:BATCH], -1).astype("float32"), model(x, training=True))
    with raises(ConfigError, key="scales", allowed="known height"):
        model.compute_loss(x, keras.KerasTensor((None, None, 8, 2)), model(x, training=True))


def test_labels_are_those_in_the_middle_of_each_cell() -> None:
    values = np.arange(7.0 * 8.0).reshape(1, 7, 8, 1)
    maps = {"distance": values, "other": np.zeros(3)}
    found = at_scale(Targets(values, values > 9, maps), 1)
    expected = values[:, [1, 3, 5, 6]][:, :, [1, 3, 5, 7]]
    np.testing.assert_array_equal(found.labels, expected)
    np.testing.assert_array_equal(found.valid, expected > 9)
    np.testing.assert_array_equal(found.maps["distance"], expected / 2)
    assert found.maps["other"].shape == (3,)


def targets(size: int, classes: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    drawn = rng.integers(0, max(2, classes), (2, size, size))
    labels = drawn[..., None] if classes == 1 else np.eye(classes)[drawn]
    valid = rng.random((2, size, size, 1)) > 0.2
    distance = losses.signed_distance_numpy(labels)
    return {"labels": labels.astype("float32"), "valid": valid.astype("float32"), "distance": distance}


@pytest.mark.parametrize(("size", "classes"), [(8, 1), (8, 3), (7, 2)])
def test_the_fused_loss_of_each_scale_is_summed_with_its_weight(size: int, classes: int) -> None:
    rng = np.random.default_rng(0)
    y, x = targets(size, classes, rng), rng.normal(size=(2, size, size, 1)).astype("float32")
    options = ("dice:0.7+boundary:0.3", "fixed", Auxiliary("iou", gamma0=2.0))
    net = models.unet((size, size, 1), classes, filters=2, depth=2, convs=1)
    model, plain = fuse(net, *options, scales=2), fuse(net, *options)
    for one in (model, plain):
        one.compile(keras.optimizers.SGD(0.0))
    outputs = model(x, training=True)
    assert [one.shape[1] for one in outputs] == [size, -(-size // 2), -(-size // 4)]
    total = to_numpy(keras.Variable(model.compute_loss(x, y, outputs)))
    sums = []
    for scale, p in enumerate(outputs):
        there = at_scale(Targets.of(y), scale) if scale else Targets.of(y)
        given = {"labels": there.labels, "valid": there.valid, **there.maps}
        sums.append(to_numpy(keras.Variable(plain.compute_loss(x, given, p))))
    np.testing.assert_allclose(total, np.dot(SHARES, sums), rtol=1e-5)


@pytest.mark.parametrize("name", ["var", "lr_annealing"])
def test_memory_records_and_metrics_see_the_full_scale_only(name: str) -> None:
    found = []
    for scales in (0, 2):
        options = {"record_steps": 9, "insight_every": 2, "scales": scales, "check": False}
        model = FusedModel(small(), "dice+ce", weighting.get(name, warmup=1), Auxiliary("iou"), **options)
        model.compile(keras.optimizers.SGD(0.0), metrics=[keras.metrics.MeanAbsoluteError(name="mae")])
        logs = model.fit(X[: 3 * BATCH], Y[: 3 * BATCH], batch_size=BATCH, shuffle=False, verbose=0).history
        records = [*model.recorder.take(), *model.insight.take()]
        trained = logs.pop("loss")[0]
        found.append((records, logs, model.memory["weights"], trained))
    for ours, theirs in zip(found[0][0], found[1][0], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    assert found[0][1] == {key: pytest.approx(value, rel=1e-4) for key, value in found[1][1].items()}
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-4)
    assert found[0][3] != pytest.approx(found[1][3], rel=1e-3)


def test_a_step_that_is_not_finite_at_a_coarse_scale_only_is_recorded_as_such() -> None:
    def fails_when_small(y_true: Tensor, y_pred: Tensor) -> Tensor:
        wrong = float("nan") if y_pred.shape[1] == 2 else 1.0
        return wrong * ops.mean(y_true * y_pred)

    records = []
    for scales in (1, 2):
        model = FusedModel(small(), {"own": fails_when_small}, "fixed", scales=scales, record_steps=9)
        model.compile(keras.optimizers.SGD(0.0))
        model.fit(X[:BATCH], Y[:BATCH], batch_size=BATCH, verbose=0)
        records += model.recorder.take()
    fine, broken = records
    assert fine["loss"] == pytest.approx(broken["loss.own"])
    assert (_nonfinite([fine], ["own"]), _nonfinite([broken], ["own"])) == ([], [(0, "the total loss")])


def test_heads_are_trained_and_kept_with_the_model_and_not_with_the_network(tmp_path: Path) -> None:
    plain = small()
    model = fuse(plain, "dice+ce", "fixed", scales=2)
    model.compile(keras.optimizers.SGD(0.5))
    heads = [to_numpy(v) for v in model.trainable_variables[-4:]]
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert all(
        not np.array_equal(a, to_numpy(v)) for a, v in zip(heads, model.trainable_variables[-4:], strict=True)
    )
    assert len(model.trainable_variables) == len(plain.trainable_variables) + 4
    assert len(plain.outputs) == 1
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert json.loads(json.dumps(again.get_config())) == json.loads(json.dumps(model.get_config()))
    for ours, theirs in zip(model.trainable_variables, again.trainable_variables, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))
