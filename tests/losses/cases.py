"""Inputs for the tests of losses, and what each loss of the registry is expected to do."""

import numpy as np

from dmf_cli import losses
from dmf_cli.lookup import keywords

NAMES = losses.__registry__
SHAPES = {
    "1-D softmax": (2, 7, 2),
    "2-D sigmoid": (2, 4, 5, 1),
    "2-D softmax": (2, 4, 5, 3),
    "3-D softmax": (2, 3, 4, 2, 3),
}

# The largest value; a pixel's cross-entropy is at most 16.2 a class.
UPPER = dict.fromkeys(NAMES, 16.2 * 3) | dict.fromkeys(
    (
        "dice",
        "iou",
        "cbdice",
        "gdice",
        "tversky",
        "focal_tversky",
        "logcosh_dice",
        "lovasz",
        "sensspec",
        "cldice",
    ),
    1.0 + 1e-6,
)
UPPER |= {"mcc": 2.0 + 1e-6, "hausdorff": 2 * 45.0, "boundary": 7.0, "distance_ce": 2 * 16.2 * 3}

# A loss that looks at some pixels only (the worst, those on a skeleton) or weighs some with 0.
SPARSE = ("topk", "lovasz", "cldice", "boundary")

SYMMETRIC: dict[str, dict] = {
    "dice": {},
    "iou": {},
    "logcosh_dice": {},
    "mcc": {},
    "cldice": {},
    "tversky": {"alpha": 0.5, "beta": 0.5},
    "focal_tversky": {"alpha": 0.4, "beta": 0.4},
    "gdice": {"weight": "uniform"},
}
SYMMETRIC_IF_HARD: dict[str, dict] = {"lovasz": {"absent": "count"}, "hausdorff": {}}

# Another value than the default for the first parameter of each.
OTHER = {
    "alpha": 0.4,
    "absent": "max",
    "background": True,
    "dice_weight": 0.5,
    "exponent": 1.0,
    "gamma": 1.5,
    "iterations": 1,
    "k": 50.0,
    "label_smoothing": 0.1,
    "pool": "batch",
    "ratio": 0.5,
    "weight": 0.25,
}


def all_channels(name: str) -> dict:
    """Parameters with which the loss looks at every channel."""
    return {"background": True} if "background" in keywords(getattr(losses, name)) else {}


def can_be_negative(name: str) -> bool:
    return getattr(getattr(losses, name), "can_be_negative", False)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    if classes == 1:
        return (labels > 0).astype("float32")[..., None]
    return np.eye(classes, dtype="float32")[labels % classes]


def random_case(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One-hot labels with every class, and probabilities inside (0, 1)."""
    rng = np.random.default_rng(seed)
    classes = shape[-1]
    labels = rng.integers(0, max(2, classes), shape[:-1])
    noise = rng.uniform(0.05, 0.95, shape).astype("float32")
    return one_hot(labels, classes), noise if classes == 1 else noise / noise.sum(-1, keepdims=True)


def spread_case(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and predictions of which no two, nor their errors, nor one and 0.5 are close.

    So the losses that sort, compare or take a maximum are smooth around them. They do not sum to 1,
    which no loss asks for.
    """
    y_true, _ = random_case(shape, seed)
    values = np.linspace(0.06, 0.93, y_true.size, dtype="float32")
    return y_true, np.random.default_rng(seed).permutation(values).reshape(shape)


def smeared(y_true: np.ndarray, amount: float) -> np.ndarray:
    """``y_true`` with a share of its probability moved to the other classes."""
    others = max(1, y_true.shape[-1] - 1)
    return ((1 - amount) * y_true + amount * (1 - y_true) / others).astype("float32")
