"""Decoded images in memory, and batches of them in an order that depends on (seed, epoch) alone."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dmf_cli.datasets.augment import Augment
from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.images import Geometry, Normalize, Resize, as_size, prepare, prepare_label
from dmf_cli.datasets.order import epoch_order
from dmf_cli.errors import DatasetError, LabelError, SizeMismatchError


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Network inputs of a part of a dataset.

    Args:
        images: ``(n, h, w, C)`` float32.
        labels: ``(n, h, w)`` uint8 class indices.
        geometries: where each image lies in its input.
        ids: of the images.
    """

    images: np.ndarray
    labels: np.ndarray
    geometries: tuple[Geometry, ...]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


def load_prepared(
    dataset: Dataset,
    indices: Sequence[int],
    *,
    image_size: Any,
    resize: Resize = "stretch",
    normalize: Normalize = "unit",
    progress: Callable[[], None] | None = None,
) -> Prepared:
    """Decode and resize images ``indices`` once; raises ``DatasetError`` naming a file that is bad."""
    size = as_size(image_size)
    inputs = np.empty((len(indices), *size, dataset.channels), np.float32)
    labels = np.empty((len(indices), *size), np.uint8)
    geometries = []
    for row, index in enumerate(indices):
        sample = load_checked(dataset, index)
        inputs[row], where = prepare(sample.image, size=size, resize=resize, normalize=normalize)
        labels[row] = prepare_label(sample.label, size, resize)
        geometries.append(where)
        if progress:
            progress()
    return Prepared(inputs, labels, tuple(geometries), tuple(dataset.ids[i] for i in indices))


def load_checked(dataset: Dataset, index: int) -> Sample:
    """Image ``index``, its labels held against size and classes; ``DatasetError`` if they do not fit."""
    sample = dataset.load(index)
    name, highest = f"{dataset.name}, image {dataset.ids[index]!r}", int(sample.label.max(initial=0))
    if sample.label.shape != sample.image.shape[:2]:
        raise SizeMismatchError(
            f"{name}: labels {sample.label.shape} for an image {sample.image.shape[:2]}: give both one size"
        )
    if highest >= len(dataset.classes):
        raise LabelError(
            f"{name}: label {highest} and there are {len(dataset.classes)} classes: use labels 0 to "
            f"{len(dataset.classes) - 1}"
        )
    return sample


def check_readable(
    dataset: Dataset, indices: Sequence[int], progress: Callable[[], None] | None = None
) -> None:
    """Read images ``indices`` and keep nothing; raises ``DatasetError`` naming a file that is bad.

    For images that are scored after the training: a damaged one shall be told before it.
    """
    for index in indices:
        load_checked(dataset, index)
        if progress:
            progress()


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Full batches in ``n`` samples; the remainder waits for another epoch's order."""
    if batch_size > n:
        raise DatasetError(
            f"trainer.batch_size is {batch_size} and the training split has {n} image(s): "
            f"use trainer.batch_size={n} or less"
        )
    return n // batch_size


def training_batches(
    prepared: Prepared,
    *,
    batch_size: int,
    channels_out: int,
    seed: int,
    first_epoch: int = 0,
    augment: Augment | None = None,
    distance: bool = False,
) -> Any:
    """Endless ``(x, y)`` batches, epoch after epoch from ``first_epoch``; a ``tf.data.Dataset``.

    Samples (not batches) are shuffled anew each epoch by :func:`epoch_order`, and elements carry
    (epoch, sample index) until they are gathered, so that what is done to a sample can depend on them.

    Args:
        prepared: the images.
        batch_size: at most ``len(prepared)``.
        channels_out: 1 for a sigmoid target, else the number of classes (one-hot).
        seed: of the order, >= 0.
        first_epoch: from 0; the k-th epoch of a run is the same wherever the run was resumed.
        augment: see :func:`dmf_cli.datasets.augment.make`.
        distance: make ``y`` ``{"labels": one-hot, "distance": signed distances}``, see :func:`_target`.
    """
    tf = _tensorflow()
    n, steps = len(prepared), steps_per_epoch(len(prepared), batch_size)

    def epochs() -> Any:
        epoch = first_epoch
        while True:
            order = epoch_order(seed, epoch, n)[: steps * batch_size].astype(np.int32)
            for batch in order.reshape(steps, batch_size):
                yield np.int32(epoch), batch
            epoch += 1

    signature = (tf.TensorSpec((), tf.int32), tf.TensorSpec((batch_size,), tf.int32))
    gather = _gather(tf, prepared)

    def batch(epoch: Any, index: Any) -> tuple[Any, Any]:
        images, labels = gather(index)
        if augment is not None:
            images, labels = augment(images, labels, epoch, index)
        return images, _target(tf, labels, channels_out, distance)

    batches = tf.data.Dataset.from_generator(epochs, output_signature=signature)
    return batches.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2)


def evaluation_batches(
    prepared: Prepared, *, batch_size: int, channels_out: int, distance: bool = False
) -> Any:
    """``(x, y)`` batches in order, the last one possibly smaller; a ``tf.data.Dataset``."""
    tf = _tensorflow()
    gather = _gather(tf, prepared)

    def batch(index: Any) -> tuple[Any, Any]:
        images, labels = gather(index)
        return images, _target(tf, labels, channels_out, distance)

    indices = tf.data.Dataset.range(len(prepared)).batch(batch_size)
    known = tf.data.experimental.assert_cardinality(math.ceil(len(prepared) / batch_size))
    return indices.map(batch).apply(known).prefetch(2)


def _gather(tf: Any, prepared: Prepared) -> Callable[[Any], tuple[Any, Any]]:
    with tf.device("cpu"):
        inputs, labels = tf.constant(prepared.images), tf.constant(prepared.labels)
    return lambda index: (tf.gather(inputs, index), tf.gather(labels, index))


def _target(tf: Any, labels: Any, channels_out: int, distance: bool) -> Any:
    """One-hot or one foreground channel; with ``distance`` a mapping that adds the signed distances.

    SciPy makes them here, beside the training step: a loss that finds none computes them in its graph.
    """
    if channels_out == 1:
        target = tf.cast(labels > 0, tf.float32)[..., None]
    else:
        target = tf.one_hot(labels, channels_out)
    if not distance:
        return target
    from dmf_cli.losses import signed_distance_numpy

    found = tf.numpy_function(signed_distance_numpy, [target], tf.float32, stateful=False)
    return {"labels": target, "distance": tf.ensure_shape(found, target.shape)}


def _tensorflow() -> Any:
    """TensorFlow for its input pipeline; under another backend it must leave the GPU alone."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        # Once TensorFlow has started, devices cannot be hidden: somebody else chose them.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    return tf
