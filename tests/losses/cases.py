"""Inputs for the tests of losses, and what each loss of the registry is expected to do."""

import numpy as np

from dmf_cli import losses
from dmf_cli.checking.loss_cases import SHAPES as SHAPES
from dmf_cli.checking.loss_cases import one_hot as one_hot
from dmf_cli.checking.loss_cases import random_case as random_case
from dmf_cli.checking.loss_cases import smeared as smeared
from dmf_cli.lookup import keywords

NAMES = losses.__registry__
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

# A loss of distances or thin lines, which sees a larger image as another one.
OF_SIZE = ("cldice", "hausdorff")
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


def spread_case(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and predictions of which no two, nor their errors, nor one and 0.5 are close.

    So the losses that sort, compare or take a maximum are smooth around them. They do not sum to 1,
    which no loss asks for.
    """
    y_true, _ = random_case(shape, seed)
    values = np.linspace(0.06, 0.93, y_true.size, dtype="float32")
    return y_true, np.random.default_rng(seed).permutation(values).reshape(shape)
