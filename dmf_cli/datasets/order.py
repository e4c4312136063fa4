"""In which order samples are seen: a pure function of (seed, epoch), so that a run can be resumed."""

import numpy as np


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """A permutation of ``range(n)`` for ``epoch`` (from 0); int64 ``(n,)``.

    A counter-based generator keyed by (seed, epoch): epoch 7 needs no epochs 0 to 6 before it.
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    return generator.permutation(n)
