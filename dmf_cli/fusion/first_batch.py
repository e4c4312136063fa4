"""What a user hands to ``fit``, looked at before the first step.

Masks of 0 and 255, integer labels and logits train without an error and teach nonsense; a first batch shows
what they are.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.fusion.terms import labels, valid
from dmf_cli.losses._check import check_one_hot, check_probabilities, values
from dmf_cli.losses._common import prepare

ROWS = 256  # of an array that are looked at together
BATCH = 32  # Keras's default

SEVERAL = "the network gives {count} outputs: give one that ends in the probabilities"
NO_WEIGHTS = (
    '{name} is not supported by a fused loss: weigh classes in the losses, as in fuse(network, {{"ce": '
    'losses.get("ce", class_weights=[1, 5])}}), or terms by coefficients ("dice:0.7+ce:0.3")'
)


def first_batch(x: Any, y: Any) -> tuple[Any, tuple[Any, ...]]:
    """``x`` to train on, and a first batch ``(x, y)`` or ``(x, y, sample_weight)`` of it.

    A generator can be read once only: it is given back with its first batch in front.
    """
    if y is not None:
        return x, (keras.tree.map_structure(lambda part: part[:2], x), y)
    if isinstance(x, keras.utils.PyDataset):
        return x, tuple(x[0])
    if isinstance(x, Iterator):
        first = next(x)
        return _again(first, x), tuple(first)
    if hasattr(x, "__iter__") and not hasattr(x, "shape"):
        return x, tuple(next(iter(x)))
    return x, ()


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    """A generator, for Keras takes no other iterator."""
    yield first
    yield from rest


def check_batch(batch: tuple[Any, ...], predict: Callable[[Any], Any]) -> None:
    """Raise ``ConfigError`` for labels that are not one-hot, logits, or weights of samples.

    Args:
        batch: as :func:`first_batch` gives it.
        predict: what the network makes of ``x``.
    """
    if len(batch) > 2:
        raise ConfigError(NO_WEIGHTS.format(name="sample_weight"))
    if len(batch) < 2:
        return
    x = keras.tree.map_structure(lambda part: ops.convert_to_tensor(part)[:2], batch[0])
    y_pred = predict(x)
    if isinstance(y_pred, Mapping | list | tuple):
        raise ConfigError(SEVERAL.format(count=len(y_pred)))
    check_labels(batch[1], y_pred)
    if np.isfinite(p := values(y_pred)).all():
        check_probabilities(p)


def check_labels(y: Any, y_pred: Any) -> None:
    """Raise ``ConfigError`` unless ``y`` is one-hot where it counts; it may have more samples than y_pred.

    NaN is let through: the guards of the training skip such a step.
    """
    counted, y = valid(y), labels(y)
    if isinstance(y, Mapping | list | tuple):
        raise ConfigError(f"y is a {type(y).__name__}: give one array of one-hot labels")
    for start in range(0, len(y), ROWS):
        part = values(y[start : start + ROWS])
        if start == 0:
            prepare(part[:1], y_pred[:1])
        if counted is not None:
            part = part[(values(counted[start : start + ROWS]) > 0)[..., 0]]
        if part.size and np.isfinite(part).all():
            check_one_hot(part)


def steps_of_epoch(x: Any, options: Mapping[str, Any]) -> int:
    """How many steps ``fit`` makes in an epoch.

    Raises:
        ConfigError: a generator, of which nobody knows.
    """
    if options.get("steps_per_epoch"):
        return int(options["steps_per_epoch"])
    leaf = keras.tree.flatten(x)[0] if not hasattr(x, "__next__") else x
    if hasattr(leaf, "shape"):
        count = math.floor(len(leaf) * (1.0 - (options.get("validation_split") or 0.0)))
        return math.ceil(count / (options.get("batch_size") or BATCH))
    try:
        return int(x.num_batches if isinstance(x, keras.utils.PyDataset) else len(x))
    except TypeError:
        raise ConfigError(
            'weighting "dwa" compares the means of whole epochs, and the length of one is not known: give '
            "fit(steps_per_epoch=...)"
        ) from None
