"""In which order samples are seen: a pure function of (seed, epoch), so that a run can be resumed."""

import numpy as np

from dmf_cli.errors import DatasetError


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Full batches in ``n`` samples; the remainder waits for another epoch's order."""
    if batch_size > n:
        reason, hint = f"and the training split has {n} image(s)", f"use trainer.batch_size={n} or less"
        raise DatasetError(key="trainer.batch_size", value=batch_size, reason=reason, hint=hint)
    return n // batch_size


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """A permutation of ``range(n)`` for ``epoch`` (from 0); int64 ``(n,)``.

    A counter-based generator keyed by (seed, epoch): epoch 7 needs no epochs 0 to 6 before it.
    """
    return _generator(seed, epoch).permutation(n)


def weighted_order(seed: int, epoch: int, weights: np.ndarray) -> np.ndarray:
    """As many samples as there are ``weights``, each as often as its weight says; int64 ``(n,)``.

    With n images of mean weight 1, image i comes ``floor(w_i)`` or ``ceil(w_i)`` times and ``w_i`` times on
    average over the epochs (systematic sampling: less noise than independent draws).

    Args:
        seed: of the run.
        epoch: from 0.
        weights: ``(n,)``, >= 0, not all 0; their scale does not matter.

    Returns:
        Numbers ``i + n k``: copy k of image i, so that copies can be distinguished.
    """
    generator, n = _generator(seed, epoch), len(weights)
    shuffled = generator.permutation(n)
    ends = np.cumsum(weights[shuffled] / weights.sum() * n)
    counts = np.diff(np.floor(ends + generator.random()), prepend=0.0).astype(np.int64)
    # The last end is n up to rounding: what is missing or too much goes to the largest weight.
    counts[np.argmax(weights[shuffled])] += n - counts.sum()
    copies = np.concatenate([np.arange(count) for count in counts])
    return generator.permutation(np.repeat(shuffled, counts) + n * copies)


def lesion_weights(shares: np.ndarray, strength: float) -> np.ndarray:
    """Weights that show small lesions more often; mean 1, float64 ``(n,)``.

    Lesions are binned by their diameter in octaves: half the diameter, a quarter of the area, is one bin
    further and weighs ``2 ** strength`` times as much. Everything below 1/64 of the side is one bin. Images
    without a lesion have the mean weight of the others, so that their share stays as it is.

    Args:
        shares: of the foreground in each image, in [0, 1].
        strength: 0: all alike; 1: twice as often for half the diameter.
    """
    found = shares > 0
    octave = np.clip(np.round(-0.5 * np.log2(np.where(found, shares, 1.0))), 0, 6)
    weights: np.ndarray = 2.0 ** (strength * octave)
    weights[~found] = weights[found].mean() if found.any() else 1.0
    weights /= weights.mean()
    return weights


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
