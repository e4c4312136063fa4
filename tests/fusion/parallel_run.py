"""The same few steps on one device and on two: ``python parallel_run.py OUT.json TERMS:WEIGHTING ...``.

Run by test_data_parallel.py, which sets backend and devices in the environment. Writes what was recorded.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dmf_cli import Auxiliary, weighting
from dmf_cli.fusion import FusedModel

BACKEND = keras.backend.backend()
STEPS, BATCH = 8, 8


def data() -> tuple[np.ndarray, np.ndarray]:
    """Batches whose halves differ much: a replica that went its own way would be seen."""
    rng = np.random.default_rng(0)
    area = np.where(np.arange(STEPS * BATCH) % BATCH < BATCH // 2, 0.1, 0.7)[:, None, None]
    labels = (rng.random((STEPS * BATCH, 8, 8)) < area).astype(int)
    x = labels[..., None] * 2.0 + rng.normal(0, 0.7, (*labels.shape, 1)) + area[..., None]
    return x.astype("float32"), np.eye(2, dtype="float32")[labels]


def network() -> keras.Model:
    layers, synchronized = keras.layers, {"synchronized": True} if BACKEND == "tensorflow" else {}
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(momentum=0.9, **synchronized),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.UpSampling2D(),
            layers.Conv2D(2, 1, kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.Softmax(),
        ]
    )


def start_alike(model: FusedModel) -> None:
    """Kernels of the network, and of the heads of its coarser scales, that are the same in every run."""
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.assign(rng.normal(0, 0.3, variable.shape).astype("float32"))


def run(terms: str, name: str, scope: Any) -> dict[str, Any]:
    """SGD, whose step is proportional to the gradient: Adam would hide a wrong scale."""
    x, y = data()
    with scope:
        strategy = weighting.get(name, **({} if name == "fixed" else {"warmup": 2}))
        auxiliary = Auxiliary("bce", gamma0=0.5, decay=0.5, every=3)
        scales = 1 if name == "lr_annealing" else 0
        records = {"record_steps": STEPS, "insight_every": 2}
        model = FusedModel(network(), terms, strategy, auxiliary, scales=scales, **records)
        start_alike(model)
        model.compile(keras.optimizers.SGD(0.3))
    logs = model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0).history
    return {
        "logs": {key: values[0] for key, values in logs.items()},
        "steps": model.recorder.take(),
        "insight": model.insight.take(),
        "memory": {key: value.tolist() for key, value in model.memory.items()},
        "variables": [np.asarray(keras.ops.convert_to_numpy(v)).tolist() for v in model.network.variables],
        "validation": model.evaluate(x, y, batch_size=BATCH, return_dict=True, verbose=0),
    }


def two_devices() -> Any:
    """What shares a batch between two virtual devices of the CPU; TensorFlow bears one a process."""
    if BACKEND == "jax":
        devices = keras.distribution.list_devices()
        assert len(devices) == 2
        return keras.distribution.DataParallel(devices=devices)
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def main() -> None:
    out, *cases = sys.argv[1:]
    found, both = {}, two_devices()
    for case in cases:
        terms, name = case.split(":")
        one, two = run(terms, name, contextlib.nullcontext()), run(terms, name, both.scope())
        found[case] = {"one": one, "two": two}
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
