"""A short training run whose initial values come from NumPy: ``python parity_run.py OUT.json``.

Run by test_backends.py, once under each Keras backend; prints nothing, writes the recorded steps.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from dmf_cli import Auxiliary, losses, weighting
from dmf_cli.fusion import FusedModel

STEPS, BATCH = 20, 4


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = (np.indices((16, 16)).sum(0)[None] < rng.integers(6, 24, (STEPS * BATCH, 1, 1))).astype(int)
    x = labels[..., None] + rng.normal(0, 0.7, (*labels.shape, 1))
    return x.astype("float32"), np.eye(2, dtype="float32")[labels]


def network() -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((16, 16, 1))
    x = layers.Conv2D(8, 3, padding="same")(inputs)
    skip = x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(layers.MaxPooling2D()(x))
    net = keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(layers.Concatenate()([x, skip])))
    rng = np.random.default_rng(1)
    for variable in net.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.assign(rng.normal(0, 0.2, variable.shape).astype("float32"))
    return net


def run() -> list[dict[str, float]]:
    strategy = weighting.get("var", warmup=6, window=12)
    auxiliary = Auxiliary(losses.get("cbdice"), gamma0=1.0, decay=0.5, every=5)
    model = FusedModel(network(), "cbdice+bce+ce", strategy, auxiliary, record_steps=STEPS)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(*data(), batch_size=BATCH, shuffle=False, verbose=0)
    return model.recorder.take()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps({"backend": keras.backend.backend(), "steps": run()}))
