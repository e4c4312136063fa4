"""What is searched: weights of the loss on the simplex, and keys given as Hydra sweeps.

Only the shares of the weights matter (``fixed`` normalises them), so N terms have N - 1 dimensions: the
logarithms of their ratios to the first term. Equal steps there are equal factors between two weights.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli.errors import ConfigError

WEIGHT = "weight."  # prefix of the dimension of a term
DIGITS = 3  # after the point, of a weight


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One searched value.

    Args:
        key: of the config, or ``weight.TERM`` for the log-ratio of a term to the first.
        kind: ``float``, ``int`` or ``choice``.
        low: smallest value.
        high: largest value, included.
        step: between two values; None: any.
        log: whether equal factors, not equal steps, are equally likely.
        choices: words for the command line.
    """

    key: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()

    def suggest(self, trial: Any) -> Any:
        """The value of an Optuna trial."""
        if self.kind == "choice":
            return trial.suggest_categorical(self.key, list(self.choices))
        if self.kind == "int":
            return trial.suggest_int(
                self.key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log
            )
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> tuple[Any, ...]:
        """The values that show whether the config takes them."""
        if self.kind == "choice":
            return self.choices
        return (int(self.low), int(self.high)) if self.kind == "int" else (self.low, self.high)

    def __str__(self) -> str:
        if self.kind == "choice":
            return f"{self.key}: {', '.join(self.choices)}"
        if self.key.startswith(WEIGHT):
            ratio = f"{math.exp(self.high):g}"
            return f"weight of {self.key.removeprefix(WEIGHT)}: 1/{ratio} to {ratio} of the first term's"
        how = [f"in steps of {self.step:g}"] if self.step and self.step != 1 else []
        how += ["on a log scale"] if self.log else []
        return f"{self.key}: {self.low:g} to {self.high:g}" + "".join(f", {word}" for word in how)


@dataclasses.dataclass(frozen=True)
class Space:
    """All that is searched.

    Args:
        dimensions: at least one.
        coefficients: term -> coefficient as written, if the weights are searched; else empty.
    """

    dimensions: tuple[Dimension, ...]
    coefficients: Mapping[str, float]

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Dimension -> value of an Optuna trial."""
        return {dimension.key: dimension.suggest(trial) for dimension in self.dimensions}

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """The words of ``dmf train`` that say ``values``."""
        words = [f"loss={self.expression(values)}"] if self.coefficients else []
        return words + [f"{key}={value}" for key, value in values.items() if not key.startswith(WEIGHT)]

    def expression(self, values: Mapping[str, Any]) -> str:
        """The loss with its weights, which add up to 1 but for rounding: ``cbdice:0.62+bce:0.38``."""
        ratios = {term: math.exp(values.get(f"{WEIGHT}{term}", 0.0)) for term in self.coefficients}
        total = sum(ratios.values())
        shares = {term: max(round(ratio / total, DIGITS), 10.0**-DIGITS) for term, ratio in ratios.items()}
        return "+".join(f"{term}:{share:g}" for term, share in shares.items())

    def first(self) -> dict[str, float]:
        """Where the search begins: the weights as written. The tuned ones have to beat them."""
        terms = list(self.coefficients)
        ratios = {term: math.log(self.coefficients[term] / self.coefficients[terms[0]]) for term in terms[1:]}
        bounds = {dimension.key: dimension for dimension in self.dimensions}
        return {
            f"{WEIGHT}{term}": min(max(ratio, bounds[f"{WEIGHT}{term}"].low), bounds[f"{WEIGHT}{term}"].high)
            for term, ratio in ratios.items()
        }


def weights(coefficients: Mapping[str, float], ratio: float) -> list[Dimension]:
    """The dimensions of the weights of terms; ``ratio``: the largest between a term and the first."""
    reach = math.log(ratio)
    return [Dimension(f"{WEIGHT}{term}", "float", -reach, reach) for term in list(coefficients)[1:]]


def parse(words: Sequence[str]) -> tuple[list[Dimension], list[str]]:
    """The searched keys among ``words``, and the words that are settings.

    Args:
        words: overrides; ``KEY=interval(a,b)``, ``range(a,b[,step])``, ``choice(a,b)`` and ``a,b`` are
            searched, with ``int(interval(a,b))`` and ``tag(log,interval(a,b))``.

    Raises:
        ConfigError: not an override, or a range that holds no value.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from dmf_cli.config import messages

    try:
        parsed = OverridesParser.create().parse_overrides(list(words))
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, words) from error
    searched = [_dimension(item) for item in parsed if item.is_sweep_override()]
    return searched, [str(item.input_line) for item in parsed if not item.is_sweep_override()]


def _dimension(item: Any) -> Dimension:
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep

    key, value, tags = item.get_key_element(), item.value(), set(getattr(item.value(), "tags", ()))
    if tags - {"log", "int", "float"}:
        raise ConfigError(
            f"{item.input_line} has the unknown tag {', '.join(sorted(tags))}",
            key=key,
            hint="tag(log,...) is allowed",
        )
    if isinstance(value, ChoiceSweep):
        return Dimension(key, "choice", choices=tuple(dict.fromkeys(_words(item))))
    if isinstance(value, IntervalSweep):
        whole = "int" in tags or isinstance(value.start, int)
        low, high = float(value.start or 0), float(value.end or 0)
        made = Dimension(key, "int" if whole else "float", low, high, log="log" in tags)
    elif isinstance(value, RangeSweep):
        made = _range(key, value, "log" in tags)
    else:
        raise ConfigError(item.input_line, key=key, hint="write interval(a,b), range(a,b) or choice(a,b)")
    if not made.low < made.high:
        raise ConfigError(
            f"{item.input_line} holds no two values", key=key, hint="give the smaller one first"
        )
    if made.log and made.low <= 0:
        raise ConfigError(
            f"{item.input_line} has a log scale and a value of 0 or below", key=key, allowed="values above 0"
        )
    return made


def _words(item: Any) -> list[str]:
    """The choices as Hydra writes them, but for the colons of loss expressions, which need no escape."""
    return [word.replace("\\:", ":") for word in item.sweep_string_iterator()]


def _range(key: str, value: Any, log: bool) -> Dimension:
    """Hydra's range, whose end is excluded as in Python."""
    numbers = (value.start, value.stop, value.step)
    whole = all(isinstance(number, int) for number in numbers)
    start, stop, step = (float(number) for number in numbers)
    if step <= 0:
        raise ConfigError(f"{key}=range({start:g},{stop:g},{step:g})", key=key, allowed="a step above 0")
    count = math.ceil((stop - start) / step - 1e-9)
    high = start + step * max(count - 1, 0)
    if log and step != 1:
        raise ConfigError(
            f"{key} is a range in steps, which has no log scale", key=key, hint="write tag(log,interval(a,b))"
        )
    return Dimension(key, "int" if whole else "float", start, high, step, log)
