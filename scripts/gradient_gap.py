"""How far the gradients at the logits stand in for those in the network's weights: a table for docs/.

Run: python scripts/gradient_gap.py            (about two minutes; --help for smaller ones)

For a U-Net on noisy discs, at a few moments of its training: the ratio of each term's gradient norm
to that of the first term, and the cosine between the two, measured at the probabilities, at the logits
and in all weights of the network.
"""

import argparse
import os
from collections.abc import Iterator

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from dmf_cli import FusedModel, losses, models, weighting
from dmf_cli.fusion import logit_gradients

Row = dict[str, float | int | str]


def shapes(count: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy discs and their one-hot masks."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    centre, radius = rng.uniform(0.25, 0.75, (2, count, 1, 1)) * size, rng.uniform(0.08, 0.25, (count, 1, 1))
    labels = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (radius * size) ** 2
    images = 0.5 * labels + rng.normal(0, 0.3, labels.shape)
    return images[..., None].astype("float32"), np.eye(2, dtype="float32")[labels.astype(int)]


def moments(
    terms: list[str], *, size: int, filters: int, steps: list[int], batch: int = 16
) -> Iterator[list[Row]]:
    """The rows of the table at each of ``steps``, of one run with equal weights."""
    keras.utils.set_random_seed(0)
    images, masks = shapes(64, size)
    network = models.unet((size, size, 1), 2, filters=filters, depth=2)
    model = FusedModel(network, terms, weighting.get("fixed"))
    model.compile(keras.optimizers.Adam(1e-3))
    done = 0
    for step in steps:
        for at in range(done, step):
            part = slice(at * batch % 64, at * batch % 64 + batch)
            model.train_on_batch(images[part], masks[part])
        done = step
        yield measure(network, terms, images[:batch], masks[:batch], step)


def measure(
    network: keras.Model, terms: list[str], images: np.ndarray, masks: np.ndarray, step: int = 0
) -> list[Row]:
    """A row for each term after the first: its norm ratio and cosine to the first, at each place."""
    functions = [losses.get(name) for name in terms]
    with tf.GradientTape(persistent=True) as tape:
        p = network(images, training=True)
        values = [function(masks, p) for function in functions]
    places = {"probabilities": [tape.gradient(value, p) for value in values]}
    places["weights"] = [
        tf.concat([tf.reshape(g, -1) for g in tape.gradient(value, network.trainable_variables)], 0)
        for value in values
    ]
    parts = [lambda q, f=function: f(masks, q) for function in functions]
    places["logits"] = logit_gradients.logit_gradients(parts, p)
    found = {place: logit_gradients.gradient_statistics(gradients) for place, gradients in places.items()}
    return [
        {"step": step, "pair": f"{name} / {terms[0]}"}
        | {f"ratio {place}": float(s["norm"][i] / s["norm"][0]) for place, s in found.items()}
        | {f"cosine {place}": float(s["cosine"][0, i]) for place, s in found.items()}
        for i, name in enumerate(terms)
        if i
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--terms", default="dice+ce+cbdice+iou")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--steps", default="0,20,100,300")
    given = parser.parse_args()
    steps = [int(step) for step in given.steps.split(",")]
    places = ("probabilities", "logits", "weights")
    print("| step | norms of | at probabilities | at logits | in weights | cosine at logits | in weights |")
    print("| --: | :-- | --: | --: | --: | --: | --: |")
    for rows in moments(given.terms.split("+"), size=given.size, filters=given.filters, steps=steps):
        for row in rows:
            ratios = " | ".join(f"{row[f'ratio {place}']:.2f}" for place in places)
            cosines = " | ".join(f"{row[f'cosine {place}']:.2f}" for place in places[1:])
            print(f"| {row['step']} | {row['pair']} | {ratios} | {cosines} |", flush=True)


if __name__ == "__main__":
    main()
