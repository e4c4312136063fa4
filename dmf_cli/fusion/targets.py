"""What the losses are given of the truth, and their values for it."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.fusion.logit_gradients import Gradients, values_and_logit_gradients
from dmf_cli.ops import void
from dmf_cli.ops.backend import gathered, replicas

Tensor = Any
Loss = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Targets:
    """The truth of a batch.

    Args:
        labels: ``(batch, *spatial, classes)``, one-hot for the losses of this package; of the type that they
            were given in, for functions of your own may want another one.
        valid: 1 where a pixel counts, ``(batch, *spatial, 1)``; None: all of them count.
        maps: what a loss takes by keyword where it is there: ``distance``, the signed distance maps.
    """

    labels: Tensor
    valid: Tensor | None = None
    maps: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, y: "Tensor | Mapping[str, Tensor]") -> "Targets":
        """The ``y`` of ``fit``: labels, or ``{"labels": ..., "valid": ..., "distance": ...}``."""
        if not isinstance(y, Mapping):
            return cls(y)
        if "labels" not in y:
            reason = f"has the keys {', '.join(map(str, y))}"
            allowed = 'one-hot labels as an array, or under the key "labels"'
            raise ConfigError(key="y", reason=reason, allowed=allowed)
        maps = {name: y[name] for name in y if name not in ("labels", "valid")}
        return cls(y["labels"], y.get("valid"), maps)

    def gathered(self) -> "Targets":
        """The truth of the whole step, where replicas hold parts of it."""
        if replicas() == 1:
            return self
        valid = None if self.valid is None else gathered(self.valid)
        return Targets(gathered(self.labels), valid, {name: gathered(v) for name, v in self.maps.items()})

    def counted(self, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        """Labels and probabilities, 0 in all channels where a pixel does not count."""
        if self.valid is None:
            return self.labels, y_pred
        keep = ops.cast(self.valid, "float32") > 0.0
        # Not a product: a NaN of such a pixel stays out too.
        return ops.where(keep, ops.cast(self.labels, "float32"), 0.0), ops.where(keep, y_pred, 0.0)


def term_values(
    terms: Mapping[str, Loss], targets: Targets, y_pred: Tensor, *, gradients: bool
) -> tuple[Tensor, Gradients | None]:
    """The values of all terms ``(n_terms,)``; with ``gradients`` also a function that gives their gradients
    at the logits, from the same evaluation.
    """
    functions = [partial(term_value, name, loss, targets) for name, loss in terms.items()]
    if not gradients:
        return ops.stack([function(y_pred) for function in functions]), None
    values, at_logits = values_and_logit_gradients(functions, y_pred)
    return ops.stack(values), at_logits


def term_value(name: str, loss: Loss, targets: Targets, y_pred: Tensor) -> Tensor:
    """The scalar that ``loss`` gives; ``ConfigError`` for one that gives a value a sample or a pixel.

    A loss with the attribute ``needs = ("distance",)`` gets the map by keyword if there is one, else it
    computes its own. Pixels that do not count take no part.
    """
    extra = {key: targets.maps[key] for key in needs(loss) if key in targets.maps}
    with void.counting(targets.valid):
        result = loss(*targets.counted(y_pred), **extra)
    shape = getattr(result, "shape", () if isinstance(result, int | float) else None)
    if shape is None or len(shape) > 0:
        returned = type(result).__name__ if shape is None else f"shape {tuple(shape)}"
        raise ConfigError(
            key=f"loss term {name!r}",
            reason=f"returned {returned}",
            hint="a term must return a scalar; wrap it in keras.ops.mean",
        )
    return ops.cast(result, "float32")


def needs(loss: Loss) -> tuple[str, ...]:
    """What ``loss`` takes of the truth beside the labels, if it is there: none, or ``("distance",)``."""
    function = loss.func if isinstance(loss, partial) else loss
    return tuple(getattr(function, "needs", ()))
