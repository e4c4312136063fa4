"""Random changes of training images, each a pure function of (seed, epoch, sample index).

So a run repeats bitwise however its input is parallelised, and a resumed run sees what it would have seen.
Keras's own layers (``RandomRotation`` and its like) cannot be driven that way: they keep a generator that a
parallel ``map`` advances in any order, and they take no seed that is a tensor.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from dmf_cli.config import schema
from dmf_cli.datasets.input import _moves, _tones

# (images, labels, epoch, indices) -> (images, labels), all tensors of one batch
Augment = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
SAMPLES = 2**32  # of an epoch; more, and two streams of random numbers would meet


def make(augment: schema.Augment, seed: int) -> Augment | None:
    """The augmentation of the ``augment`` group, or None for ``augment=none``.

    Args:
        augment: the largest change of each kind; one that is 0 changes nothing and costs nothing.
        seed: of the run, in [0, 2**32).
    """
    if not isinstance(augment, schema.Affine):
        return None
    limits = {key: float(value) for key, value in dataclasses.asdict(augment).items()}
    return functools.partial(_change, limits, seed)


def _change(
    limits: Mapping[str, float], seed: int, images: Any, labels: Any, epoch: Any, index: Any
) -> tuple[Any, Any]:
    """Move image and labels as one, then change the grey values of the image."""
    draw = functools.partial(_draw, seed, epoch, index)
    basic, bend = draw(0, (7,)), None
    if limits.get("elastic"):
        nodes = int(limits["elastic_cells"]) + 3
        bend = limits["elastic"] * draw(1, (nodes, nodes, 2))
    images, labels = _moves.move(images, labels, basic, limits, bend)
    images = _tones.gain_and_gamma(images, basic[:, 5] * limits["gain"], basic[:, 6] * limits["gamma"])
    if limits.get("tgc"):
        images = _tones.depth_gain(images, limits["tgc"] * draw(2, (_tones.SLIDERS,)))
    if limits.get("shadow"):
        images = _tones.shadow(images, draw(3, (5,)), limits)
    if limits.get("speckle"):
        noise = draw(5, (images.shape[1] + 2, images.shape[2] + 2), normal=True)
        images = _tones.speckle(images, noise, limits["speckle"] * draw(4, ()))
    return images, labels


def _draw(
    seed: int, epoch: Any, index: Any, stream: int, shape: tuple[int, ...], normal: bool = False
) -> Any:
    """``(batch, *shape)`` numbers, uniform in [-1, 1) or normal.

    One stateless sequence for each (seed, stream, epoch, sample), whatever else is in the batch.
    """
    import tensorflow as tf

    def one(sample: Any) -> Any:
        counter = tf.cast(epoch, tf.int64) * SAMPLES + tf.cast(sample, tf.int64)
        key = tf.stack([tf.constant(seed + stream * 2**32, tf.int64), counter])
        if normal:
            return tf.random.stateless_normal(shape, key)
        return tf.random.stateless_uniform(shape, key, -1.0, 1.0)

    return tf.map_fn(one, index, fn_output_signature=tf.float32)
