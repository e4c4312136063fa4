"""What every metric has to do: a number of two masks, best where they agree."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from dmf_cli.checking.findings import Broken, Property, called
from dmf_cli.metrics import Counts

SHAPES = ((1, 1), (1, 2), (2, 2), (3, 4), (8, 8))
Pair = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric with its parameters fixed.

    Args:
        function: ``(truth, prediction) -> float`` of masks, or ``(counts) -> array``.
        better: whether high or low values are good.
        name: of the function, for its place in the file.
    """

    function: Callable[..., Any]
    better: Literal["high", "low"]

    @property
    def of_counts(self) -> bool:
        """Whether it takes :class:`dmf_cli.metrics.Counts`."""
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        taken = [one for one in inspect.signature(self.function).parameters.values() if one.kind in kinds]
        return len(taken) == 1

    def __call__(self, truth: np.ndarray, prediction: np.ndarray) -> float:
        """Of two masks; :class:`Broken` if it is no number."""
        arguments = (counts(truth, prediction),) if self.of_counts else (truth.copy(), prediction.copy())
        example = {"truth": truth, "prediction": prediction}
        with np.errstate(all="ignore"):
            found = called(self.function, *arguments, **example)
        if not isinstance(found, int | float | np.generic | np.ndarray) or isinstance(found, np.str_):
            raise Broken(f"returns {found!r}, of type {type(found).__name__}: return a float", **example)
        if np.ndim(found) or not np.issubdtype(np.asarray(found).dtype, np.number):
            raise Broken(
                f"returns {np.asarray(found).dtype} of shape {np.shape(found)}: return a float", **example
            )
        if math.isinf(found):
            raise Broken(f"returns {float(found)}: NaN says that it is undefined", **example)
        return float(found)

    def is_better(self, one: float, other: float) -> bool:
        """Whether ``one`` is a better value than ``other``, by more than rounding."""
        gain = one - other if self.better == "high" else other - one
        return gain > 1e-9 + 1e-6 * abs(other)


def counts(truth: np.ndarray, prediction: np.ndarray) -> Counts:
    """Of one pair of masks."""
    pairs = ((truth, prediction), (~truth, prediction), (truth, ~prediction), (~truth, ~prediction))
    return Counts(*(np.asarray((one & other).sum(), np.int64) for one, other in pairs))


def pairs(seeds: int = 4) -> Iterator[Pair]:
    """Masks from one pixel on."""
    for shape in SHAPES:
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            truth = rng.random(shape) < 0.5
            yield truth, np.where(rng.random(shape) < 0.3, ~truth, truth)


def gives_a_number(metric: Metric) -> str:
    """A float of any masks."""
    found = [metric(*pair) for pair in pairs()]
    known = [value for value in found if not math.isnan(value)]
    if not known:
        truth, prediction = next(pairs())
        raise Broken("is NaN for all masks", truth=truth, prediction=prediction)
    return f"from {min(known):.3g} to {max(known):.3g} for random masks"


def empty_masks(metric: Metric) -> str:
    """Nothing there, nothing predicted, or neither."""
    found = {}
    for shape in SHAPES:
        full, empty = np.ones(shape, bool), np.zeros(shape, bool)
        found = {
            "both empty": metric(empty, empty),
            "missed": metric(full, empty),
            "false alarm": metric(empty, full),
        }
    return ", ".join(f"{value:.3g} where {name}" for name, value in found.items())


def best_at_a_perfect_match(metric: Metric) -> None:
    """No prediction is better than the truth."""
    for truth, prediction in pairs():
        perfect, other = metric(truth, truth), metric(truth, prediction)
        if metric.is_better(other, perfect):
            raise Broken(
                f"{perfect:.6g} at a perfect match and {other:.6g} here, where better={metric.better!r}",
                truth=truth,
                prediction=prediction,
            )


def better_is_true(metric: Metric) -> None:
    """The truth scores better than its opposite."""
    seen = False
    for truth, _ in pairs():
        perfect, opposite = metric(truth, truth), metric(truth, ~truth)
        if metric.is_better(opposite, perfect):
            other = "low" if metric.better == "high" else "high"
            raise Broken(
                f"{perfect:.4g} at a perfect match and {opposite:.4g} at its opposite: say better={other!r}",
                truth=truth,
                prediction=~truth,
            )
        seen = seen or metric.is_better(perfect, opposite)
    if not seen:
        raise Broken("is the same at a perfect match and at its opposite", truth=truth, prediction=~truth)


def mirrored(metric: Metric) -> None:
    """Masks that are mirrored together have the same value."""
    for truth, prediction in pairs():
        here = metric(truth, prediction)
        for axis in (0, 1):
            there = metric(np.flip(truth, axis), np.flip(prediction, axis))
            if not math.isclose(here, there, rel_tol=1e-6, abs_tol=1e-9) and not math.isnan(here + there):
                raise Broken(
                    f"{here:.6g}, and {there:.6g} mirrored along axis {axis}",
                    truth=truth,
                    prediction=prediction,
                )


def one_value_an_image(metric: Metric) -> None:
    """Of counts of several images it gives a value for each."""
    if not metric.of_counts:
        return
    several = list(pairs())
    every = Counts(
        *(np.stack([getattr(counts(*pair), name) for pair in several]) for name in ("tp", "fp", "fn", "tn"))
    )
    with np.errstate(all="ignore"):
        found = np.asarray(called(metric.function, every))
    if found.shape != (len(several),):
        raise Broken(f"gives {found.shape} for counts of {len(several)} images: compute elementwise")
    for pair, value in zip(several, found, strict=True):
        if not np.isclose(metric(*pair), value, equal_nan=True):
            raise Broken(
                f"{metric(*pair):.6g} by itself and {value:.6g} among others",
                truth=pair[0],
                prediction=pair[1],
            )


PROPERTIES = (
    Property("gives a number", gives_a_number),
    Property("empty masks", empty_masks),
    Property("best at a perfect match", best_at_a_perfect_match),
    Property("better is true", better_is_true),
    Property("mirrored masks", mirrored),
    Property("one value an image", one_value_an_image),
)
