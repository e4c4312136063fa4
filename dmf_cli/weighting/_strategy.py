"""The one interface of all strategies, and the guards that none of them can get round."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from dmf_cli import lookup, parameters
from dmf_cli.errors import ConfigError
from dmf_cli.ranges import Count, Fraction, NotNegative, Positive, Share
from dmf_cli.weighting._bounds import check_room, project

Tensor = Any
State = dict[str, Tensor]

EPSILON = 1e-8  # losses are clamped to at least this where a formula divides by them or takes their logarithm


def softmax(x: Tensor) -> Tensor:
    """exp(x) / sum(exp(x)) of ``(n,)``; Keras's own warns where there is one term only."""
    powers = ops.exp(x - ops.max(x))
    return powers / ops.sum(powers)


class Strategy:
    """Turns loss values into loss weights; pure, so that it can run inside a compiled step.

    A subclass gives :meth:`memory` (its own state) and :meth:`adapt` (the formula), its parameters as
    attributes of the same name, and nothing else. This class adds what must hold for every strategy:

    * a row with a NaN or infinite loss is dropped whole: memory and weights hold, the step is counted;
    * weights are those of :meth:`start` (equal) until ``warmup`` finite rows were seen;
    * weights are finite, non-negative, cut off from the gradient, multiplied by ``prior``, and sum to
      ``total`` (``None`` keeps the strategy's own sum and the coefficients as written);
    * they stay within ``floor`` and ``ceiling``, change every ``every`` rows and as slowly as ``smoothing``
      says, without losing that sum.

    Args:
        total: sum of the weights, finite and > 0, or None.
        prior: one coefficient >= 0 a term, or None for equal ones. The weights that the formula gives are
            multiplied by it, so that a priority of the user stays; a term with 0 stays at 0.
        warmup: finite steps before the weights adapt, >= 1; ignored by strategies that do not adapt.
            Statistics are gathered meanwhile; learned parameters wait.
        every: finite steps between two changes of the weights, >= 1; the memory takes in every row.
        floor: least share of the total for each term, in [0, 1/n_terms].
        ceiling: largest share of the total for each term, in [1/n_terms, 1]. Weights outside of these bounds
            move to the nearest ones inside (least squares).
        smoothing: in [0, 1): part of the last weights that is kept at each change; 0 is off.
    """

    adaptive = True  # its weights change, so a run has to be longer than the warm-up
    uses_prior = True  # the coefficients multiply its weights
    needs_positive = False  # divides by losses or takes their logarithm, see check_terms
    symmetric = True  # exchanged losses have exchanged weights: not if one is a reference
    needs_gradients = False  # update() wants the gradient statistics of each loss, see :meth:`due`
    delay = 0  # rows that the formula itself needs before its weights can differ
    statistics: tuple[str, ...] = ()  # those of norm, mean_abs, max_abs that it uses

    def __init__(
        self,
        *,
        total: Positive | None = 1.0,
        prior: Sequence[NotNegative] | None = None,
        warmup: Count = 50,
        every: Count = 1,
        floor: Share = 0.0,
        ceiling: Share = 1.0,
        smoothing: Fraction = 0.0,
    ) -> None:
        self.total, self.warmup, self.every = total, warmup, every
        self.floor, self.ceiling, self.smoothing = floor, ceiling, smoothing
        self.prior = None if prior is None else [float(c) for c in prior]
        if self.prior and not any(self.prior):
            raise ConfigError(key="weighting.prior", value=prior, allowed="at least one number above 0")

    @property
    def name(self) -> str:
        """The name it is looked up by."""
        return type(self).__name__

    @property
    def idle_steps(self) -> int:
        """Finite rows at the beginning in which the weights cannot change: a run has to be longer."""
        wait = max(self.warmup - 1, self.delay) if self.adaptive else 0
        return -(-wait // self.every) * self.every

    def get_config(self) -> dict[str, Any]:
        """Everything that :func:`dmf_cli.weighting.get` needs to build this strategy again."""
        return {name: getattr(self, name) for name in lookup.keywords(type(self))}

    def memory(self, n_terms: int) -> State:
        """The strategy's own state at step 0: arrays of fixed shape."""
        return {}

    def start(self, n_terms: int) -> Tensor:
        """The raw weights while nothing is known: equal, with the sum that the formula has too."""
        return ops.full((n_terms,), 1.0 / n_terms, dtype="float32")

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """New values of the entries of :meth:`memory`, and weights >= 0 ``(n_terms,)``.

        The weights have the sum of the published formula, which ``total=None`` keeps. ``losses`` is
        finite; ``state["stored"]`` counts the finite rows including this one. A strategy that needs
        gradients finds their statistics in ``state["gradients"]``.
        """
        raise TypeError(f"{type(self).__name__} does not define adapt(state, losses)")

    def init(self, n_terms: int) -> State:
        """The state at step 0: counts (``step stored skipped``), ``weights``, ``raw_sum`` and the memory."""
        self._check()
        if self.prior is not None and len(self.prior) != n_terms:
            raise ConfigError(
                f"{len(self.prior)} coefficients for {n_terms} loss terms",
                key="weighting.prior",
                value=self.prior,
                allowed="one for each term",
            )
        check_room(self.floor, self.ceiling, sum(c > 0 for c in self._coefficients(n_terms)))
        weights, raw_sum = self._finish(self.start(n_terms))
        counts = {name: ops.zeros((), dtype="int32") for name in ("step", "stored", "skipped")}
        return {**counts, "weights": weights, "raw_sum": raw_sum, **self.memory(n_terms)}

    def _check(self) -> None:
        """Parameters of a strategy that was made without ``get``; its own defaults are right."""
        known = lookup.keywords(type(self))
        given = {name: getattr(self, name) for name in known if hasattr(self, name)}
        parameters.check(
            type(self), {n: v for n, v in given.items() if v is not known[n].default}, "weighting."
        )

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
        if self.smoothing:
            # Of two points of a convex set: bounds and sum hold for the mean of both.
            weights = self.smoothing * state["weights"] + (1.0 - self.smoothing) * weights
        usable = ops.logical_and(finite, ops.all(ops.isfinite(weights)))
        moved = usable if self.every == 1 else ops.logical_and(usable, due)
        if self.needs_gradients:  # what is derived from gradients holds where there are none
            usable = moved
        new.update({name: ops.where(usable, value, state[name]) for name, value in adapted.items()})
        for name, value in (("weights", weights), ("raw_sum", raw_sum)):
            new[name] = ops.where(moved, value, state[name])
        return new, new["weights"]

    def warm(self, state: State, learned: Tensor, held: Tensor) -> Tensor:
        """``learned`` once the warm-up is over, until then ``held``."""
        return ops.where(state["stored"] < self.warmup, held, learned)

    def _gradients(self, gradients: Mapping[str, Tensor] | None, due: Tensor) -> dict[str, Tensor]:
        """The statistics of this row, zeros where it is not due."""
        if not self.needs_gradients:
            return {}
        if gradients is None:
            raise ConfigError(
                f"weighting {self.name} needs the gradient of each loss ({', '.join(self.statistics)})",
                key="weighting",
                value=self.name,
                hint="train with it, or give replay(gradients=...) what was recorded",
            )
        cast = {name: ops.stop_gradient(ops.cast(gradients[name], "float32")) for name in self.statistics}
        return {name: ops.where(due, value, ops.zeros_like(value)) for name, value in cast.items()}

    def _coefficients(self, n_terms: int) -> list[float]:
        return self.prior if self.prior is not None and self.uses_prior else [1.0] * n_terms

    def _finish(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Prior, bounds and sum applied to raw weights: ``(weights, sum before rescaling)``."""
        if self.prior is not None and self.uses_prior:
            prior = ops.convert_to_tensor(self.prior, dtype="float32")
            # All of the strategy's weight on terms whose coefficient is 0: the coefficients decide.
            known = ops.where(ops.sum(raw * prior) > 0.0, raw, self.start(len(self.prior)))
            raw = known * prior
        raw_sum = ops.sum(raw)
        if self.total is None and self.floor == 0.0 and self.ceiling == 1.0:
            return ops.stop_gradient(raw), raw_sum
        shares = raw / raw_sum
        if self.floor > 0.0 or self.ceiling < 1.0:
            used = [float(c > 0) for c in self._coefficients(raw.shape[0])]
            active = ops.convert_to_tensor(used, dtype="float32")
            shares = project(shares, self.floor * active, self.ceiling * active)
        weights = shares * (raw_sum if self.total is None else self.total)
        return ops.stop_gradient(weights), raw_sum
