"""Metrics of users: parts of plugins, with their parameters, tried before anything depends on them."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dmf_cli.errors import DmfError, PluginError
from dmf_cli.metrics._counts import Counts, confusion, foreground_counts
from dmf_cli.parts import definitions, failures, plugins, registry
from dmf_cli.parts.definitions import Definition
from dmf_cli.parts.kinds import FILLED

SIDE = 32  # pixels of the masks on which a metric is tried
NUMBER = "a real number, or NaN where it is undefined"

Spacing = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Own:
    """A metric of the user's.

    Args:
        definition: what its source says.
        function: the function itself.
        params: its keyword parameters but ``spacing``.
        hash: of the plugin that defines it.
    """

    definition: Definition
    function: Callable[..., Any]
    params: Mapping[str, Any]
    hash: str = ""

    @property
    def name(self) -> str:
        """Of the function: its column in tables."""
        return self.definition.name

    @property
    def better(self) -> str:
        """``high`` or ``low``."""
        better: str = self.definition.options["better"]
        return better

    @property
    def of_counts(self) -> bool:
        """Whether it takes counts, and can be pooled over images, or two masks."""
        return self.definition.arguments == ("counts",)

    @property
    def takes_spacing(self) -> bool:
        """Whether dmf gives it the millimetres per pixel."""
        return any(name in self.definition.parameters for name in FILLED)

    @property
    def described(self) -> dict[str, Any]:
        """What a summary says of it: ``dmf compare`` reads there which metrics are the same."""
        return {"better": self.better, "params": dict(self.params), "hash": self.hash}

    def masks(self, truth: np.ndarray, prediction: np.ndarray, spacing: Spacing | None = None) -> float:
        """The value for two boolean masks ``(H, W)`` of one image, NaN where it is undefined.

        Raises:
            PluginError: it fails, or gives anything but a finite number or NaN.
        """
        filled = dict.fromkeys(FILLED, spacing) if self.takes_spacing else {}
        return self._value(_read_only(truth), _read_only(prediction), **filled)

    def counts(self, counts: Counts) -> float:
        """The value for the counts of one image, or of several added up; raises as :meth:`masks`."""
        return self._value(Counts(*(_read_only(v) for v in (counts.tp, counts.fp, counts.fn, counts.tn))))

    def _value(self, *arguments: Any, **filled: Any) -> float:
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                value = self.function(*arguments, **self.params, **filled)
            array = np.asarray(value)
        except DmfError:
            raise
        except Exception as error:
            raise failures.failed(self.definition, error) from error
        real = array.shape == () and array.dtype.kind in "biuf"
        if not real or math.isinf(array):
            raise definitions.wrong(self.definition, f"gives {_shown(value, array)}", NUMBER)
        return float(array)


def of(chosen: Mapping[str, Mapping[str, Any]]) -> tuple[Own, ...]:
    """The metrics ``chosen`` (name -> parameters), each tried once on masks of every kind.

    Raises:
        PluginError: one cannot be imported, fails, or gives no number.
    """
    found = tuple(_own(name, params) for name, params in chosen.items())
    for one in found:
        _try(one)
    return found


def _own(name: str, params: Mapping[str, Any]) -> Own:
    definition, function = registry.definition("metric", name), registry.find("metric", name)
    plugin = plugins.of_part(definition)
    return Own(definition, function, dict(params), plugin.hash if plugin else "")


def _try(one: Own) -> None:
    for said, truth, prediction in _tiny():
        try:
            if one.of_counts:
                one.counts(foreground_counts(confusion(truth, prediction, 2)))
            else:
                one.masks(truth, prediction)
                one.masks(truth, prediction, (0.5, 0.25))
        except PluginError as error:
            raise error.but(f"it was tried on {said}") from error.__cause__


def _tiny() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Masks of every kind, and what they are."""
    none, full = np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)
    square, moved = none.copy(), none.copy()
    square[8:18, 8:18] = moved[10:20, 8:18] = True
    yield "two overlapping squares", square, moved
    yield "a mask that was found exactly", square, square
    yield "a mask of which nothing was predicted", square, none
    yield "an empty truth with a false alarm", none, square
    yield "two empty masks", none, none
    yield "two full masks", full, full


def _read_only(array: np.ndarray) -> np.ndarray:
    """The same numbers: what a metric changes in its masks would change those of the next one."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _shown(value: Any, array: np.ndarray) -> str:
    if array.shape != ():
        return f"an array of shape {array.shape}"
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"
