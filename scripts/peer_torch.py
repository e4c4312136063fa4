"""The default U-Net of dmf in PyTorch, with the default losses: what bench_peers.py times beside ours.

Run by bench_peers.py, with the Python of another environment: it imports PyTorch and NumPy only.
"""

import os
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

KINDS = ("channels first", "channels last", "channels last, compiled")


class Block(nn.Module):
    """A convolution, or one that doubles the size, with batch normalisation and ReLU.

    PyTorch's momentum is 1 - that of Keras.
    """

    def __init__(self, before: int, after: int, *, up: bool = False) -> None:
        super().__init__()
        doubling = {"stride": 2, "padding": 1, "output_padding": 1}
        kind, options = (nn.ConvTranspose2d, doubling) if up else (nn.Conv2d, {"padding": 1})
        self.convolution = kind(before, after, 3, bias=False, **options)
        self.norm = nn.BatchNorm2d(after, eps=1e-3, momentum=0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.convolution(x)))


class UNet(nn.Module):
    """As dmf_cli.models.unet: probabilities ``(batch, classes, height, width)``."""

    def __init__(self, filters: int, depth: int, convs: int, classes: int = 2) -> None:
        super().__init__()
        width = [filters * 2**level for level in range(depth + 1)]
        first = zip([1, *width[:-1]], width, strict=True)
        self.down = nn.ModuleList(self._several(before, after, convs) for before, after in first)
        # Without a convolution that merges them, a level hands on its own maps and those of the skip.
        joined = 1 if convs > 1 else 2
        below = [*(joined * one for one in width[1:-1]), width[-1]]
        self.up = nn.ModuleList(Block(b, a, up=True) for b, a in zip(below, width[:-1], strict=True))
        self.merge = nn.ModuleList(self._several(2 * one, one, convs - 1) for one in width[:-1])
        self.head = nn.Conv2d(joined * filters, classes, 1)

    @staticmethod
    def _several(before: int, after: int, times: int) -> nn.Sequential:
        return nn.Sequential(*(Block(after if i else before, after) for i in range(times)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = self.merge[level](torch.cat([self.up[level](x), skips[level]], 1))
        return torch.softmax(self.head(x).float(), 1)


def cbdice(y: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Class-balanced Dice over the batch; a class without a pixel does not count."""
    places = (0, 2, 3)
    truth, guess, both = y.sum(places), p.sum(places), (y * p).sum(places)
    share = truth / truth.sum()
    weights = torch.where(share > 0, 1 / (share + 1e-6), 0.0)
    return ((weights / weights.sum()) * (1 - 2 * both / (truth + guess + 1e-7))).sum()


def bce(y: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy over pixels and channels."""
    return nn.functional.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), y)


def made(
    kind: str,
    images: np.ndarray,
    labels: np.ndarray,
    p: np.ndarray,
    network: dict[str, int],
    precision: str,
    now: Callable[[], float],
) -> tuple[int, float, Callable[[int], float]]:
    """Trainable weights, the loss of the probabilities ``p``, and a function that makes some steps.

    Args:
        kind: of ``KINDS``.
        images: ``(batch, height, width, 1)``.
        labels: one-hot, ``(batch, height, width, classes)``.
        p: of the same shape as ``labels``.
        network: ``filters``, ``depth``, ``convs``.
        precision: ``float32`` or ``mixed_bfloat16``.
        now: the clock.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model, layout = UNet(**network), torch.contiguous_format if kind == KINDS[0] else torch.channels_last
    x, y, q = (torch.from_numpy(one).permute(0, 3, 1, 2).contiguous() for one in (images, labels, p))
    model, x, y = (one.to(memory_format=layout) for one in (model, x, y))
    run = torch.compile(model) if "compiled" in kind else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7)

    def steps(count: int) -> float:
        start = now()
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "mixed_bfloat16"):
                guess = run(x)
            loss = cbdice(y, guess) + bce(y, guess)
            loss.backward()
            optimizer.step()
            loss.item()
        return (now() - start) / count

    weights = sum(one.numel() for one in model.parameters())
    return weights, float(cbdice(y, q) + bce(y, q)), steps
