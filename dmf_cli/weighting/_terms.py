"""Which losses a strategy can weigh."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from dmf_cli.errors import ConfigError
from dmf_cli.weighting._strategy import Strategy


def can_be_negative(loss: Callable[..., Any]) -> bool:
    """Whether a loss says of itself that it can be below 0; its fixed parameters are seen through."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    return bool(getattr(loss, "can_be_negative", False))


def check_terms(strategy: Strategy, terms: Mapping[str, Callable[..., Any]]) -> None:
    """Raise ``ConfigError`` when ``strategy`` divides by its losses or takes their logarithm and one of
    ``terms`` (name -> loss) can be negative.
    """
    negative = [name for name, loss in terms.items() if can_be_negative(loss)]
    if strategy.needs_positive and negative:
        raise ConfigError(
            f"weighting {strategy.name} needs losses of 0 and above, and loss term {negative[0]!r} can be "
            "negative",
            key="weighting",
            value=strategy.name,
            hint="leave the term out, or use weighting=var, mad, bayes, softadapt with another variant, "
            "stch, lr_annealing, fixed, equal or random",
        )
