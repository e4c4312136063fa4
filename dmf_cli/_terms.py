"""What a user hands to a fused model, checked and turned into functions."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras import ops

from dmf_cli import _void, losses, weighting
from dmf_cli.errors import ConfigError

Tensor = Any
Loss = Callable[..., Any]


def resolve_loss(loss: str | Loss) -> Loss:
    """A loss by its name, or the function itself."""
    if isinstance(loss, str):
        return losses.get(loss)
    if not callable(loss):
        raise ConfigError(
            f"a loss term is {loss!r}: give a name from dmf_cli.losses or a function (y_true, y_pred)"
        )
    return losses.unchecked(loss)


def resolve_terms(terms: str | Sequence[str] | Mapping[str, str | Loss]) -> dict[str, Loss]:
    """Name -> loss, in order; at least one, none twice."""
    if isinstance(terms, str):
        terms = [part.strip() for part in terms.split("+")]
    if not isinstance(terms, Mapping):
        terms = _named(terms)
    if not terms:
        raise ConfigError('no loss terms: name at least one, for example ["dice", "bce"]')
    return {name: resolve_loss(loss) for name, loss in terms.items()}


def _named(terms: Sequence[str]) -> dict[str, str]:
    wrong = [term for term in terms if not isinstance(term, str)]
    if wrong:
        raise ConfigError(f"a loss term without a name is {wrong[0]!r}: give a mapping of name to function")
    if len(set(terms)) < len(terms):
        raise ConfigError(
            f"loss terms {list(terms)}: each may be named once; use a mapping for variants of one loss"
        )
    return {name: name for name in terms}


def resolve_strategy(strategy: str | weighting.Strategy) -> weighting.Strategy:
    """A strategy by its name (with its defaults), or the strategy itself."""
    if isinstance(strategy, str):
        return weighting.get(strategy)
    if not isinstance(strategy, weighting.Strategy):
        raise ConfigError(
            f"weighting is {strategy!r}: give a name ({', '.join(weighting.__registry__)}) "
            "or what dmf_cli.weighting.get(name, ...) returns"
        )
    return strategy


def needs(loss: Loss) -> tuple[str, ...]:
    """What ``loss`` takes of the truth beside the labels, if it is there: none, or ``("distance",)``."""
    function = loss.func if isinstance(loss, functools.partial) else loss
    return tuple(getattr(function, "needs", ()))


def labels(y_true: Tensor) -> Tensor:
    """The one-hot labels of targets that may carry more, see :func:`term_value`."""
    return y_true["labels"] if isinstance(y_true, Mapping) else y_true


def valid(y_true: Tensor) -> Tensor | None:
    """1 where a pixel counts, ``(batch, *spatial, 1)``, of targets that say so; None: all of them count."""
    return y_true.get("valid") if isinstance(y_true, Mapping) else None


def term_value(name: str, loss: Loss, y_true: Tensor, y_pred: Tensor) -> Tensor:
    """The scalar that ``loss`` gives; ``ConfigError`` for one that gives a value a sample or a pixel.

    ``y_true`` may be ``{"labels": one-hot, "distance": ...}``: a loss with the attribute
    ``needs = ("distance",)`` gets what is there by keyword, and computes what is not. With ``"valid"``, 1
    where a pixel counts, the others take no part: ``loss`` sees labels and probabilities of 0 there.
    """
    extra = {key: y_true[key] for key in needs(loss) if key in y_true} if isinstance(y_true, Mapping) else {}
    seen = _void.cut(labels(y_true), y_pred, valid(y_true))
    with _void.counting(valid(y_true)):
        result = loss(*seen, **extra)
    if len(result.shape) > 0:
        raise ConfigError(
            f"loss term {name!r} returned shape {tuple(result.shape)}: a term must return a scalar; "
            "wrap it in keras.ops.mean"
        )
    return ops.cast(result, "float32")
