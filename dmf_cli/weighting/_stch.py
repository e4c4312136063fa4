"""A smooth maximum of the losses as the objective."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.parts import strategy
from dmf_cli.ranges import Positive, Real
from dmf_cli.weighting._strategy import State, Strategy, Tensor, softmax


@strategy
class stch(Strategy):  # noqa: N801 - the class name is the name users write
    """Minimises mu log sum_i exp(lambda_i (L_i - z_i) / mu), lambda_i = 1/N: the largest loss leads.

    w_i = lambda_i softmax_i(lambda_i (L_i - z_i) / mu), of sum 1/N.

    Args:
        mu: > 0; towards 0 only the largest loss counts, large ones are closer to equal. In units of a loss.
        ideal: z, the value that each loss is compared with: one number, or one a term.
        warmup: see :class:`Strategy`.

    Source: Lin et al., "Smooth Tchebycheff scalarization for multi-objective optimization", ICML 2024,
    arXiv 2402.19078.
    """

    def __init__(self, *, mu: Positive = 0.1, ideal: Real | Sequence[Real] = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self.mu = mu
        self.ideal = [float(z) for z in ideal] if isinstance(ideal, Sequence) else ideal

    def start(self, n_terms: int) -> Tensor:
        """1/N^2 each."""
        return ops.full((n_terms,), 1.0 / n_terms**2, dtype="float32")

    def memory(self, n_terms: int) -> State:
        """None; raises ``ConfigError`` for a list ``ideal`` of another length."""
        if isinstance(self.ideal, list) and len(self.ideal) != n_terms:
            raise ConfigError(
                f"weighting.ideal has {len(self.ideal)} values for {n_terms} loss terms",
                key="weighting.ideal",
                value=self.ideal,
                allowed="one number, or one for each term",
            )
        return {}

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above."""
        share = 1.0 / losses.shape[0]
        excess = losses - ops.convert_to_tensor(self.ideal, dtype="float32")
        return {}, share * softmax(excess * (share / self.mu))
