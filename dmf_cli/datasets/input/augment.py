"""Random changes of training images, each a pure function of (seed, epoch, sample index).

So a run repeats bitwise however its input is parallelised, and a resumed run sees what it would have seen.
Keras's own layers (``RandomRotation`` and its like) cannot be driven that way: they keep a generator that a
parallel ``map`` advances in any order, and they take no seed that is a tensor.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dmf_cli.config.typed import Choice
from dmf_cli.datasets.base import IGNORED
from dmf_cli.errors import DmfError
from dmf_cli.parts import definitions, failures, registry
from dmf_cli.parts.definitions import Definition, of_package

# (images, labels, epoch, indices) -> (images, labels), all tensors of one batch
Augment = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
SAMPLES = 2**32  # of an epoch; more, and two streams of random numbers would meet
NONE = "none"
IN_PIPELINE = (
    "it runs in a TensorFlow pipeline: tf.where in place of if, and no NumPy but by tf.numpy_function"
)


def make(augment: Choice, seed: int) -> Augment | None:
    """The augmentation of the ``augment`` group, or None for ``augment=none``.

    Args:
        augment: its name and parameters.
        seed: of the run, in [0, 2**32).
    """
    if augment.name == NONE:
        return None
    return functools.partial(_change, registry.find("augmentation", augment.name), augment.params, seed)


def is_of_plugin(augment: Choice) -> bool:
    """Whether the user has written it; those of dmf need no trial."""
    return augment.name != NONE and augment.name not in of_package("augmentation")


def check(augment: Choice, seed: int, images: np.ndarray, labels: np.ndarray, classes: int) -> None:
    """Apply an augmentation of the user's to its first batch, as training will.

    Args:
        augment: see :func:`make`; one of the user's.
        seed: see :func:`make`.
        images: float32 ``(batch, H, W, C)``.
        labels: uint8 ``(batch, H, W)``, below ``classes`` or ``IGNORED``.
        classes: of the dataset.

    Raises:
        PluginError: it fails, or does not give images and labels like those that it got.
    """
    import tensorflow as tf

    definition, change = registry.definition("augmentation", augment.name), make(augment, seed)
    assert change is not None
    batch = tf.constant(images), tf.constant(labels), tf.constant(0), tf.range(len(images))
    try:
        found = tf.function(_checked(change, definition), autograph=False)(*batch)
    except DmfError:
        raise
    except Exception as error:
        raise failures.failed(definition, error, IN_PIPELINE) from error
    changed = [np.asarray(part) for part in found]
    for name, before, after in zip(("images", "labels"), (images, labels), changed, strict=True):
        if before.shape != after.shape:  # in the graph it had the shape that it said
            raise definitions.wrong(definition, f"gives {name} {_spec(after)}", f"{name} {_spec(before)}")
    _check_values(definition, changed[0], changed[1], classes)


def _checked(change: Augment, definition: Definition) -> Augment:
    """``change``, whose result is looked at before TensorFlow makes something else of it."""

    def checked(images: Any, labels: Any, epoch: Any, index: Any) -> tuple[Any, Any]:
        found = change(images, labels, epoch, index)
        allowed = f"the pair (images {_spec(images)}, labels {_spec(labels)}), as it gets them"
        if not isinstance(found, (tuple, list)) or len(found) != 2:
            raise definitions.wrong(definition, f"gives {_said(found)}", allowed)
        for name, got, part in zip(("images", "labels"), (images, labels), found, strict=True):
            if _spec(part) != _spec(got):
                raise definitions.wrong(definition, f"gives {name} {_spec(part)}", allowed)
        return found[0], found[1]

    return checked


def _spec(part: Any) -> str:
    """``float32 (8, 64, 64, 1)``; the type of what is no tensor."""
    shape, kind = getattr(part, "shape", None), getattr(part, "dtype", None)
    if shape is None:
        return type(part).__name__
    name = getattr(kind, "name", kind)
    return f"{name} of unknown shape" if getattr(shape, "rank", 0) is None else f"{name} {tuple(shape)}"


def _said(found: Any) -> str:
    many = f" of {len(found)}" if isinstance(found, (tuple, list)) else ""
    return f"{_spec(found)}{many}"


def _check_values(definition: Definition, images: np.ndarray, labels: np.ndarray, classes: int) -> None:
    if not np.isfinite(images).all():
        raise definitions.wrong(definition, "gives NaN or infinite values", "finite images")
    bad = [int(v) for v in np.unique(labels) if v >= classes and v != IGNORED]
    if bad:
        allowed = f"labels from 0 to {classes - 1}: move them by the nearest pixel, without interpolation"
        raise definitions.wrong(definition, f"gives the label {bad[0]}", allowed)


def _change(
    function: Callable[..., Any],
    params: Mapping[str, Any],
    seed: int,
    images: Any,
    labels: Any,
    epoch: Any,
    index: Any,
) -> tuple[Any, Any]:
    changed: tuple[Any, Any] = function(images, labels, functools.partial(draw, seed, epoch, index), **params)
    return changed


def draw(
    seed: int,
    epoch: Any,
    index: Any,
    stream: int,
    shape: tuple[int, ...],
    normal: bool = False,
    rows: Any = None,
) -> Any:
    """``(batch, *shape)`` numbers, uniform in [-1, 1) or normal; of ``rows`` of the batch alone if given.

    One stateless sequence for each (seed, stream, epoch, sample), whatever else is in the batch.
    """
    import tensorflow as tf

    def one(sample: Any) -> Any:
        counter = tf.cast(epoch, tf.int64) * SAMPLES + tf.cast(sample, tf.int64)
        key = tf.stack([tf.constant(seed + stream * 2**32, tf.int64), counter])
        if normal:
            return tf.random.stateless_normal(shape, key)
        return tf.random.stateless_uniform(shape, key, -1.0, 1.0)

    chosen = index if rows is None else tf.gather(index, rows)
    return tf.map_fn(one, chosen, fn_output_signature=tf.TensorSpec(shape, tf.float32))
