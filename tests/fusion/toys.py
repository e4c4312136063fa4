"""A tiny network on noisy squares, fused with two terms: what the tests of FusedModel train."""

import keras
import numpy as np
from keras import ops

from dmf_cli import losses, weighting
from dmf_cli.fusion import FusedModel, logit_gradients

WARMUP, STEPS, BATCH = 4, 6, 4
TERMS = ("dice", "bce")


def images(count: int = STEPS * BATCH, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Noisy squares and their one-hot masks."""
    rng = np.random.default_rng(0)
    labels = np.zeros((count, size, size), dtype=int)
    for label in labels:
        top, left = rng.integers(0, size - 3, 2)
        label[top : top + 3, left : left + 3] = 1
    x = labels[..., None] + rng.normal(0, 0.5, (count, size, size, 1))
    return x.astype("float32"), np.eye(2, dtype="float32")[labels]


X, Y = images()


class Batches(keras.utils.PyDataset):
    """The images in batches."""

    def __init__(self, x: np.ndarray = X, y: np.ndarray = Y) -> None:
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(index * BATCH, (index + 1) * BATCH)
        return self.x[part], self.y[part]


def network(seed: int = 0, **last) -> keras.Model:
    """Two convolutions whose initial values come from NumPy."""
    convolution = keras.layers.Conv2D
    layers = [
        convolution(4, 3, padding="same", activation="relu"),
        convolution(2, 1, activation="softmax", **last),
    ]
    net = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    rng = np.random.default_rng(seed)
    net.set_weights([rng.normal(0, 0.3, w.shape).astype("float32") for w in net.get_weights()])
    return net


def strategy(name: str = "var", **params) -> weighting.Strategy:
    return weighting.get(name, warmup=WARMUP, window=8, **params)


def fused(terms=TERMS, weights=None, auxiliary=None, optimizer=None, **options) -> FusedModel:
    model = FusedModel(network(), terms, weights or strategy(), auxiliary, record_steps=99, **options)
    model.compile(optimizer or keras.optimizers.SGD(0.5))
    return model


def fit(model: FusedModel, epochs: int = 1, **options) -> dict[str, list[float]]:
    return model.fit(X, Y, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, **options).history


def columns(rows: list[dict[str, float]], kind: str, terms=TERMS) -> np.ndarray:
    return np.array([[row[f"{kind}.{term}"] for term in terms] for row in rows])


def measured(model: FusedModel, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Gradient statistics of dice and bce for a batch, outside of the model."""
    p = ops.convert_to_tensor(model.predict_on_batch(x))
    parts = [lambda q: losses.dice(y, q), lambda q: losses.bce(y, q)]
    found = logit_gradients.gradient_statistics(logit_gradients.logit_gradients(parts, p))
    return {name: ops.convert_to_numpy(value) for name, value in found.items()}
