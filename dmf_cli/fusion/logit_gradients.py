"""The gradient of each loss by itself, with respect to the logits that all of them share.

A pass through the whole network for each loss is what makes gradient-based weighting slow. The gradient
at the probabilities costs one loss, and pushing it through the head is a closed form. It stands in for
the gradient in the network's weights and is not equal to it.

Gradients at the probabilities themselves mislead: cross-entropy's is a few hundred times that of Dice
where a network starts, against a factor of four or five at the logits and in the weights.
"""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.ops.backend import values_and_gradients
from dmf_cli.ops.reduce import size, total

Tensor = Any
Gradients = Callable[[], list[Tensor | None]]


def logit_gradients(losses: Sequence[Callable[[Tensor], Tensor]], y_pred: Tensor) -> list[Tensor | None]:
    """The gradient of each of ``losses`` at the logits behind the probabilities ``y_pred``.

    Args:
        losses: functions of the probabilities that return a scalar.
        y_pred: float32 ``(batch, *spatial, classes)``, of a softmax; of a sigmoid with one channel.

    Returns:
        One float32 tensor of the shape of ``y_pred`` a loss, cut off from the surrounding gradient; None
        for a loss that the backend's autodiff finds unconnected (JAX gives zeros there).
    """
    return values_and_logit_gradients(losses, y_pred)[1]()


def values_and_logit_gradients(
    losses: Sequence[Callable[[Tensor], Tensor]], y_pred: Tensor
) -> tuple[list[Tensor], Gradients]:
    """The values of ``losses``, and a function that gives what :func:`logit_gradients` does, from one
    evaluation of each loss.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    values, gradients = values_and_gradients(losses, y_pred)

    def at_logits() -> list[Tensor | None]:
        p = ops.stop_gradient(y_pred)
        return [None if g is None else ops.stop_gradient(through_head(g, p)) for g in gradients()]

    return values, at_logits


def term_statistics(
    names: Sequence[str], gradients: Gradients, y_pred: Tensor, due: Tensor, *, required: bool
) -> dict[str, Tensor]:
    """:func:`gradient_statistics` of named terms, computed only in a step where ``due`` (else zeros).

    Args:
        names: of the terms.
        gradients: as :func:`values_and_logit_gradients` gives it.
        y_pred: as in :func:`logit_gradients`.
        due: a boolean scalar.
        required: a term without a gradient is an error; else its gradient counts as 0.

    Raises:
        ConfigError: names the term that has no gradient.
    """

    def measured() -> dict[str, Tensor]:
        own = gradients()
        missing = [name for name, gradient in zip(names, own, strict=True) if gradient is None]
        if required and missing:
            raise ConfigError(
                key=f"loss term {missing[0]!r}",
                reason="has no gradient, which this weighting needs",
                hint="use probabilities instead of argmax or thresholds in it, or choose another weighting",
            )
        zeros = ops.zeros_like(y_pred)
        return gradient_statistics([zeros if gradient is None else gradient for gradient in own])

    n = len(names)
    nothing = {"norm": (n,), "mean_abs": (n,), "max_abs": (n,), "cosine": (n, n)}
    statistics: dict[str, Tensor] = ops.cond(
        due, measured, lambda: {name: ops.zeros(shape) for name, shape in nothing.items()}
    )
    return statistics


def through_head(gradient: Tensor, p: Tensor) -> Tensor:
    """A gradient at probabilities pushed to the logits: p (g - sum_c g_c p_c); of a sigmoid p (1 - p) g."""
    if p.shape[-1] == 1:
        return p * (1.0 - p) * gradient
    return p * (gradient - ops.sum(gradient * p, axis=-1, keepdims=True))


def gradient_statistics(gradients: Sequence[Tensor]) -> dict[str, Tensor]:
    """What strategies and plots need of them.

    Returns:
        ``norm`` (L2), ``mean_abs``, ``max_abs``: each ``(n_losses,)``; ``cosine``: ``(n_losses, n_losses)``,
        0 for a gradient that is 0.
    """
    rows = ops.stack([ops.reshape(g, (-1,)) for g in gradients])
    # Scaled first: squares of gradients of 1e-20 and below are 0 in float32.
    largest = ops.max(ops.abs(rows), axis=1, keepdims=True)
    unit = rows / ops.where(largest > 0.0, largest, 1.0)
    length = ops.sqrt(total(ops.square(unit), (1,)))[:, None]
    direction = unit / ops.maximum(length, 1.0)
    # Not as a matrix product: GPUs round the factors of one to 10 bits (TF32). Two vectors at a time, as XLA
    # makes one of a matrix times a vector: JAX on a CPU was off by 1e-4.
    each = [direction[i] for i in range(len(gradients))]
    cosine = [[total(one * other) for other in each[: i + 1]] for i, one in enumerate(each)]
    square = [[cosine[max(i, j)][min(i, j)] for j in range(len(each))] for i in range(len(each))]
    return {
        "norm": (largest * length)[:, 0],
        "mean_abs": total(ops.abs(rows), (1,)) / size(rows[0]),
        "max_abs": largest[:, 0],
        "cosine": ops.stack([ops.stack(row) for row in square]),
    }
