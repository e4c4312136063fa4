"""How sure a network is of an image whose truth nobody knows: per pixel, and of its mask."""

import numpy as np


def uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each pixel, as a share of the most there can be: log2(classes) bits.

    Args:
        probabilities: ``(..., K)`` in [0, 1]; K = 1 is a sigmoid foreground. Of an ensemble: their mean.

    Returns:
        ``(...)`` float32 in [0, 1]: 0 is sure, 1 means that all classes are equally likely.

    Example:
        >>> uncertainty(np.array([[0.5], [1.0]])).tolist()
        [1.0, 0.0]
    """
    both = probabilities.astype(np.float64)
    if both.shape[-1] == 1:
        both = np.concatenate([1 - both, both], axis=-1)
    bits = np.sum(both * np.log2(1 / np.where(both > 0, both, 1.0)), axis=-1)
    share: np.ndarray = np.clip(bits / np.log2(both.shape[-1]), 0, 1).astype(np.float32)
    return share


def expected_dice(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The Dice to expect of a mask, from the probabilities alone: 2 (sum of p in the mask) / (size + sum p).

    It is no better than the probabilities are calibrated, and knows nothing of images unlike those of the
    training. With several classes: the mean over those that the mask holds. An empty mask is right if
    nothing is there: 1 - the highest p of the foreground, for pixels of one lesion are not independent.

    Args:
        probabilities: ``(..., K)``; K = 1 is a sigmoid foreground.
        labels: the mask, ``(...)``.

    Returns:
        A number in [0, 1].

    Example:
        >>> round(expected_dice(np.array([[0.9], [0.4], [0.1]]), np.array([1, 0, 0])), 2)
        0.75
    """
    several = probabilities.shape[-1] > 2
    if not labels.any():
        background = probabilities[..., 0] if several else 1 - probabilities[..., -1]
        return float(background.min())
    pairs = [(probabilities[..., -1], labels > 0)]
    if several:
        pairs = [(probabilities[..., c], labels == c) for c in np.unique(labels) if c]
    return float(np.mean([_dice(p, mask) for p, mask in pairs]))


def _dice(p: np.ndarray, mask: np.ndarray) -> float:
    inside, everywhere = (float(part.sum(dtype=np.float64)) for part in (p[mask], p))
    return 2 * inside / (int(mask.sum()) + everywhere)
