"""The geometric mean of the losses as the objective."""

from keras import ops

from dmf_cli.parts import strategy
from dmf_cli.weighting._strategy import EPSILON, State, Strategy, Tensor


@strategy
class geometric(Strategy):  # noqa: N801 - the class name is the name users write
    """Minimises (prod L)^(1/N), so w_i = (prod L)^(1/N) / (N L_i): every w_i L_i is the same.

    Losses are clamped to at least 1e-8; one that reaches 0 takes nearly all the weight (``ceiling``
    prevents it).

    Args:
        warmup: see :class:`Strategy`.

    Source: Chennupati et al., "MultiNet++: multi-stream feature aggregation and geometric loss strategy for
    multi-task learning", CVPR workshops 2019, arXiv 1904.08492.
    """

    needs_positive = True

    def adapt(self, state: State, losses: Tensor) -> tuple[State, Tensor]:
        """The formula above, in logarithms."""
        logs = ops.log(ops.maximum(losses, EPSILON))
        return {}, ops.exp(ops.mean(logs) - logs) / losses.shape[0]
