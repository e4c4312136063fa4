"""optimizer.ema: what validation and best.keras have, and that the training does not notice."""

import keras
import numpy as np

from dmf_cli.fusion import FusedModel
from dmf_cli.ops.backend import to_numpy
from dmf_cli.training import build
from dmf_cli.training.weight_average import BatchStatistics, WeightAverage
from tests.fusion.toys import BATCH, X, Y

BATCHES = [(X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, len(X), BATCH)]


def fused(ema: float) -> FusedModel:
    """A network with dropout and batch normalisation, one layer of it frozen."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization(momentum=0.9, name="still", trainable=False)(x)
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(x)
    x = keras.layers.Dropout(0.2, seed=1, name="dropout")(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name="moving")(x)
    network = keras.Model(inputs, keras.layers.Conv2D(2, 1, activation="softmax")(x))
    model = FusedModel(network, "dice+ce", "fixed", record_steps=6, check=False)
    optimizer = keras.optimizers.Adam(0.1, **({"use_ema": True, "ema_momentum": ema} if ema else {}))
    model.compile(build.Skipping(optimizer))
    model.optimizer.build(model.trainable_variables)
    return model


def trained(ema: float) -> tuple[FusedModel, list[np.ndarray], WeightAverage]:
    """What the network holds at the end of its second epoch."""
    model, average, held = fused(ema), WeightAverage(BATCHES[:3]), []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: held.append([to_numpy(v) for v in model.network.variables])
    )
    used = [average, note] if ema else [note]
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "callbacks": used}
    model.fit(X, Y, epochs=2, validation_data=(X[:8], Y[:8]), **options)
    return model, held[-1], average


def test_training_goes_on_with_the_weights_themselves():
    (_, plain, _), (model, held, average) = trained(0.0), trained(0.9)
    for ours, theirs in zip(held, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with average.applied():
        applied = [to_numpy(v) for v in model.network.trainable_variables]
    averages = model.optimizer.inner_optimizer._model_variables_moving_average
    for ours, theirs in zip(applied, averages, strict=True):
        np.testing.assert_array_equal(ours, to_numpy(theirs))
    assert not any(np.array_equal(one, raw) for one in applied for raw in held if raw.shape == one.shape)


def test_batch_statistics_are_means_over_the_batches_and_a_still_layer_keeps_its_own():
    network = fused(0.0).network
    network.get_layer("dropout").rate = 0.0
    still = [to_numpy(v) for v in network.get_layer("still").variables]
    BatchStatistics(network).measure(BATCHES[:3])
    reached = keras.Model(network.inputs, network.get_layer("conv").output)
    values = np.stack([reached.predict_on_batch(x) for x, _ in BATCHES[:3]])
    layer = network.get_layer("moving")
    np.testing.assert_allclose(to_numpy(layer.moving_mean), values.mean((0, 1, 2, 3)), rtol=1e-4, atol=1e-6)
    variances = values.var((1, 2, 3)).mean(0)
    np.testing.assert_allclose(to_numpy(layer.moving_variance), variances, rtol=1e-4)
    for ours, theirs in zip(network.get_layer("still").variables, still, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), theirs)
