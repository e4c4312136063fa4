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
from dmf_cli.fusion.targets import Targets
from dmf_cli.losses._inputs import prepare
from dmf_cli.losses._value_checks import check_one_hot, check_probabilities, values

ROWS = 256  # of an array that are looked at together
BATCH = 32  # Keras's default


def refuse_weights(**given: Any) -> None:
    """Raise ``ConfigError`` for the first of ``given`` that is not None: weights of samples or classes."""
    for name, value in given.items():
        if value is not None:
            raise ConfigError(
                key=name,
                reason="is not supported by a fused loss",
                hint="weigh classes in the losses, as in fuse(network, "
                '{"ce": losses.get("ce", class_weights=[1, 5])}), or terms by coefficients '
                '("dice:0.7+ce:0.3")',
            )


def check_one_output(y_pred: Any) -> None:
    """Raise ``ConfigError`` unless ``y_pred`` is one tensor."""
    if isinstance(y_pred, Mapping | list | tuple):
        reason = f"gives {len(y_pred)} outputs"
        raise ConfigError(key="the network", reason=reason, allowed="one that ends in the probabilities")


def checked(x: Any, y: Any, validation: Any, predict: Callable[[Any], Any]) -> Any:
    """``x`` of ``fit``, once labels and predictions are what the losses take.

    Args:
        x: see ``fit``; what is to be trained on is returned, see :func:`first_batch`.
        y: see ``fit``.
        validation: its ``validation_data``.
        predict: the network.

    Raises:
        ConfigError: as :func:`check_batch` does.
    """
    x, batch = first_batch(x, y)
    check_batch(batch, predict)
    if isinstance(validation, tuple | list) and len(validation) == 2:
        check_labels(validation[1], predict(first_batch(*validation)[1][0]))
    elif validation is not None and not isinstance(validation, tuple | list | Iterator):
        check_batch(first_batch(validation, None)[1], predict)
    return x


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
    refuse_weights(sample_weight=batch[2:] or None)
    if len(batch) < 2:
        return
    x = keras.tree.map_structure(lambda part: ops.convert_to_tensor(part)[:2], batch[0])
    y_pred = predict(x)
    check_one_output(y_pred)
    check_labels(batch[1], y_pred)
    if np.isfinite(p := values(y_pred)).all():
        check_probabilities(p)


def check_labels(y: Any, y_pred: Any) -> None:
    """Raise ``ConfigError`` unless ``y`` is one-hot where it counts; it may have more samples than y_pred.

    NaN is let through: the guards of the training skip such a step.
    """
    targets = Targets.of(y)
    counted, y = targets.valid, targets.labels
    if isinstance(y, Mapping | list | tuple):
        reason = f"is a {type(y).__name__}"
        raise ConfigError(key="y", reason=reason, allowed="one array of one-hot labels")
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
        ConfigError: a generator, whose length is unknown.
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
            'weighting "dwa" compares the means of whole epochs, and the length of one is not known',
            key="steps_per_epoch",
            allowed="fit(steps_per_epoch=...)",
        ) from None
