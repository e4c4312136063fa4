"""The one interface of all strategies, and the guards that none of them can get round."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError

Tensor = Any
State = dict[str, Tensor]


def whole(value: object) -> bool:
    """Whether ``value`` is an integer, of Python or NumPy."""
    return isinstance(value, Integral)


class Strategy:
    """Turns loss values into loss weights; pure, so that it can run inside a compiled step.

    A subclass gives :meth:`memory` (its own state) and :meth:`adapt` (the formula) and nothing else.
    This class adds what must hold for every strategy:

    * a row with a NaN or infinite loss is dropped whole: memory and weights hold, the step is counted;
    * weights are those of :meth:`start` (equal) until ``warmup`` finite rows were seen;
    * weights are finite, non-negative, cut off from the gradient, multiplied by ``prior``, and sum to
      ``total`` (``None`` keeps the strategy's own sum and the coefficients as written).

    Args:
        total: sum of the weights, finite and > 0, or None.
        prior: one coefficient >= 0 a term, or None for equal ones.
        warmup: finite steps before the weights adapt, >= 1; ignored by strategies that do not adapt.
        every: finite steps between two changes of the weights, >= 1; the memory takes in every row.
    """

    adaptive = True  # reacts to loss values, so a run has to be longer than the warm-up
    needs_gradients = False  # update() wants the gradient statistics of each loss, see :meth:`due`

    def __init__(
        self,
        *,
        total: float | None = 1.0,
        prior: Sequence[float] | None = None,
        warmup: int = 50,
        every: int = 1,
    ) -> None:
        if total is not None and not 0 < total < math.inf:
            raise ConfigError(
                f"weighting.total is {total}: give a number above 0, or null to keep the own sum"
            )
        if self.adaptive and not (whole(warmup) and warmup >= 1):
            raise ConfigError(
                f"weighting.warmup is {warmup!r}: give a whole number of steps, 1 or more "
                "(auto needs the length of the run: `dmf train` resolves it)"
            )
        if not (whole(every) and every >= 1):
            raise ConfigError(f"weighting.every is {every!r}: give a whole number of steps, 1 or more")
        self.total, self.warmup, self.every = total, warmup, every
        self.prior = None if prior is None else [float(c) for c in prior]
        if self.prior and not (all(0 <= c < math.inf for c in self.prior) and sum(self.prior) > 0):
            raise ConfigError(f"coefficients {self.prior}: give finite numbers of 0 and above, not all 0")

    @property
    def name(self) -> str:
        """The name it is looked up by."""
        return type(self).__name__

    def get_config(self) -> dict[str, Any]:
        """Everything that :func:`dmf_cli.weighting.get` needs to build this strategy again."""
        return {"total": self.total, "prior": self.prior, "warmup": self.warmup, "every": self.every}

    def memory(self, n_terms: int) -> State:
        """The strategy's own state at step 0: arrays of fixed shape."""
        return {}

    def start(self, n_terms: int) -> Tensor:
        """The raw weights while nothing is known: equal, with the sum that the formula has too."""
        return ops.full((n_terms,), 1.0 / n_terms, dtype="float32")

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """New values of the entries of :meth:`memory`, and weights >= 0 ``(n_terms,)``.

        The weights have the sum of the published formula, which ``total=None`` keeps. ``losses`` is
        finite; ``state["stored"]`` counts the finite rows including this one.
        """
        raise TypeError(f"{type(self).__name__} does not define adapt(state, losses)")

    def init(self, n_terms: int) -> State:
        """The state at step 0: counts (``step stored skipped``), ``weights``, ``raw_sum`` and the memory."""
        if self.prior is not None and len(self.prior) != n_terms:
            raise ConfigError(
                f"{len(self.prior)} coefficients for {n_terms} loss terms: give one for each term"
            )
        weights, raw_sum = self._finish(self.start(n_terms))
        counts = {name: ops.zeros((), dtype="int32") for name in ("step", "stored", "skipped")}
        return {**counts, "weights": weights, "raw_sum": raw_sum, **self.memory(n_terms)}

    def due(self, state: State) -> Tensor:
        """Whether the coming :meth:`update` changes the weights (a boolean scalar): the first finite row
        and every ``every``-th after it. Only then are the gradients of a strategy that needs them used.
        """
        return state["stored"] % self.every == 0

    def update(
        self, state: State, losses: Tensor, gradients: Mapping[str, Tensor] | None = None
    ) -> tuple[State, Tensor]:
        """One step: ``(state, losses (n_terms,)) -> (state, weights (n_terms,))``.

        Args:
            state: of :meth:`init` or of the step before.
            losses: ``(n_terms,)``.
            gradients: for strategies with ``needs_gradients``: ``norm``, ``mean_abs`` and ``max_abs`` of each
                loss, ``(n_terms,)`` each; anything (zeros) where :meth:`due` is false.
        """
        losses = ops.stop_gradient(ops.cast(losses, "float32"))
        due = self.due(state)
        finite = ops.all(ops.isfinite(losses))
        seen = self._gradients(gradients, due)
        for values in seen.values():
            finite = ops.logical_and(finite, ops.all(ops.isfinite(values)))
        kept = ops.cast(finite, "int32")
        new = dict(state, step=state["step"] + 1, stored=state["stored"] + kept)
        new["skipped"] = state["skipped"] + 1 - kept
        # A NaN must not even be computed with: 0 * NaN and where(False, NaN, x) are safe in the value,
        # but not in what a strategy derives from it.
        inputs = dict(new, gradients=seen) if self.needs_gradients else new
        adapted, raw = self.adapt(inputs, ops.where(finite, losses, ops.ones_like(losses)))
        if self.adaptive:
            raw = ops.where(new["stored"] < self.warmup, self.start(losses.shape[0]), raw)
        weights, raw_sum = self._finish(raw)
        usable = ops.logical_and(finite, ops.all(ops.isfinite(weights)))
        moved = ops.logical_and(usable, due)
        if self.needs_gradients:  # what is derived from gradients holds where there are none
            usable = moved
        new.update({name: ops.where(usable, value, state[name]) for name, value in adapted.items()})
        for name, value in (("weights", weights), ("raw_sum", raw_sum)):
            new[name] = ops.where(moved, value, state[name])
        return new, new["weights"]

    def _gradients(self, gradients: Mapping[str, Tensor] | None, due: Tensor) -> dict[str, Tensor]:
        """The statistics of this row, zeros where it is not due."""
        if not self.needs_gradients:
            return {}
        if gradients is None:
            raise ConfigError(
                f"weighting {self.name} needs the norms of the gradients: train with it, "
                "or give replay(gradients=...) what was recorded"
            )
        found = {name: ops.stop_gradient(ops.cast(value, "float32")) for name, value in gradients.items()}
        return {name: ops.where(due, value, ops.zeros_like(value)) for name, value in found.items()}

    def _finish(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Prior and sum applied to raw weights: ``(weights, sum before rescaling)``."""
        if self.prior is not None:
            prior = ops.convert_to_tensor(self.prior, dtype="float32")
            # All of the strategy's weight on terms whose coefficient is 0: the coefficients decide.
            known = ops.where(ops.sum(raw * prior) > 0.0, raw, self.start(len(self.prior)))
            raw = known * prior
        raw_sum = ops.sum(raw)
        weights = raw if self.total is None else self.total * (raw / raw_sum)
        return ops.stop_gradient(weights), raw_sum
