"""Batches of network inputs in an order that depends on (seed, epoch) alone."""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dmf_cli.config.typed import Choice
from dmf_cli.datasets.base import IGNORED
from dmf_cli.datasets.input import patches
from dmf_cli.datasets.input.augment import Augment, check, is_of_plugin
from dmf_cli.datasets.input.order import epoch_order, weighted_order
from dmf_cli.datasets.input.order import steps_per_epoch as steps_per_epoch
from dmf_cli.datasets.input.prepared import InputPart
from dmf_cli.datasets.input.prepared import Prepared as Prepared
from dmf_cli.datasets.input.prepared import check_readable as check_readable
from dmf_cli.datasets.input.prepared import load as load


def training_batches(
    prepared: InputPart,
    *,
    batch_size: int,
    channels_out: int,
    seed: int,
    first_epoch: int = 0,
    first_step: int = 0,
    augment: Augment | None = None,
    weights: np.ndarray | None = None,
    distance: bool = False,
    ignores: bool = False,
    patch: patches.Size | None = None,
    foreground: float = 0.0,
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
        first_step: of the first epoch, from 0; the batches before it are not made.
        augment: see :func:`dmf_cli.datasets.input.augment.make`. Each copy of an image in an epoch has an
            index of its own: row + ``len(prepared)`` for the second.
        weights: how often each image comes, on average, see
            :func:`~dmf_cli.datasets.input.order.weighted_order`;
            None: once an epoch.
        distance: make ``y`` ``{"labels": one-hot, "distance": signed distances}``, see :func:`_target`.
        ignores: labels may be ``IGNORED``: ``y`` is a mapping with ``valid`` too.
        patch: (height, width) of the random patch of each image that is taken; None: all of it.
        foreground: share of the patches that hold foreground, see
            :func:`dmf_cli.datasets.input.patches.sampled`.
    """
    tf = _tensorflow()
    n, steps = len(prepared), steps_per_epoch(len(prepared), batch_size)

    def epochs() -> Any:
        epoch, first = first_epoch, first_step
        while True:
            whole = epoch_order(seed, epoch, n) if weights is None else weighted_order(seed, epoch, weights)
            order = whole[: steps * batch_size].astype(np.int32)
            for batch in order.reshape(steps, batch_size)[first:]:
                yield np.int32(epoch), batch
            epoch, first = epoch + 1, 0

    signature = (tf.TensorSpec((), tf.int32), tf.TensorSpec((batch_size,), tf.int32))
    gather = _gather(tf, prepared)
    crop = _cropped(tf, prepared, patch, seed, foreground) if patch else None

    def batch(epoch: Any, index: Any) -> tuple[Any, Any]:
        images, labels = crop(epoch, index) if crop else gather(index % n)
        if augment is not None:
            images, labels = augment(images, labels, epoch, index)
        return images, _target(tf, labels, channels_out, distance, ignores)

    batches = tf.data.Dataset.from_generator(epochs, output_signature=signature)
    return batches.map(_plain(tf, batch), num_parallel_calls=2, deterministic=True).prefetch(2)


def check_augment(augment: Choice, seed: int, part: InputPart, batch_size: int, classes: int) -> None:
    """Apply an augmentation of the user's to the first batch of ``part``, see ``augment.check``.

    Raises:
        PluginError: it fails, or gives what no training can use.
    """
    if is_of_plugin(augment):
        _tensorflow()
        check(augment, seed, *part.rows(np.arange(min(batch_size, len(part)))), classes)


def evaluation_batches(
    prepared: InputPart, *, batch_size: int, channels_out: int, distance: bool = False, ignores: bool = False
) -> Any:
    """``(x, y)`` batches in order, the last one possibly smaller; a ``tf.data.Dataset``."""
    tf = _tensorflow()
    gather = _gather(tf, prepared)

    def batch(index: Any) -> tuple[Any, Any]:
        images, labels = gather(index)
        return images, _target(tf, labels, channels_out, distance, ignores)

    indices = tf.data.Dataset.range(len(prepared)).batch(batch_size)
    known = tf.data.experimental.assert_cardinality(math.ceil(len(prepared) / batch_size))
    return indices.map(_plain(tf, batch)).apply(known).prefetch(2)


def _plain(tf: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Not rewritten by AutoGraph: there is no control flow in it, and reading its source takes a second."""
    plain: Callable[..., Any] = tf.autograph.experimental.do_not_convert(function)
    return plain


def _gather(tf: Any, prepared: InputPart) -> Callable[[Any], tuple[Any, Any]]:
    """Rows by number; NumPy takes them, because TensorFlow would keep a second copy of all images."""
    shape = prepared.shape

    def gather(index: Any) -> tuple[Any, Any]:
        images, labels = tf.numpy_function(prepared.rows, [index], (tf.float32, tf.uint8), stateful=False)
        count = index.shape[0]
        return tf.ensure_shape(images, (count, *shape)), tf.ensure_shape(labels, (count, *shape[:2]))

    return gather


def _cropped(
    tf: Any, prepared: InputPart, patch: patches.Size, seed: int, foreground: float
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Random patches of rows, which NumPy takes too."""
    rows, shape = patches.sampled(prepared, patch, seed, foreground), (*patch, *prepared.shape[2:])

    def crop(epoch: Any, index: Any) -> tuple[Any, Any]:
        taken = tf.numpy_function(rows, [epoch, index], (tf.float32, tf.uint8), stateful=False)
        count = index.shape[0]
        return tf.ensure_shape(taken[0], (count, *shape)), tf.ensure_shape(taken[1], (count, *patch))

    return crop


def _target(tf: Any, labels: Any, channels_out: int, distance: bool, ignores: bool) -> Any:
    """One-hot or one foreground channel; a mapping with ``labels`` where there is more to say.

    ``distance``: the signed distances, made by SciPy beside the training step: a loss that finds none
    computes them in its graph. ``valid``: 1 where a pixel counts, ``(batch, H, W, 1)``; others belong to no
    class.
    """
    valid = labels != IGNORED
    if channels_out == 1:
        target = tf.cast((labels > 0) & valid, tf.float32)[..., None]
    else:
        target = tf.one_hot(labels, channels_out)
    targets = {"labels": target}
    if distance:
        from dmf_cli.losses import signed_distance_numpy

        maps = tf.numpy_function(signed_distance_numpy, [target], tf.float32, stateful=False)
        targets["distance"] = tf.ensure_shape(maps, target.shape)
    if ignores:
        targets["valid"] = tf.cast(valid, tf.float32)[..., None]
    return targets if len(targets) > 1 else target


def _tensorflow() -> Any:
    """TensorFlow for its input pipeline; under another backend it must leave the GPU alone."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        # Once TensorFlow has started, devices cannot be hidden: somebody else chose them.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    return tf
