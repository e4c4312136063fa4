"""The kinds of parts: where dmf has its own, what the config calls them, and what they look like."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of parts.

    Args:
        module: the package that has those of dmf.
        group: the group of the config in which one is chosen.
        shape: what carries the decorator, in words.
        arguments: the names of the parameters before the ``*``; () for a class.
    """

    module: str
    group: str
    shape: str
    arguments: tuple[tuple[str, ...], ...] = ((),)


FILLED = ("spacing",)  # keyword parameters of metrics that dmf fills in
KINDS = {
    "loss": Kind(
        "dmf_cli.losses",
        "loss",
        "a function (y_true, y_pred, *, ...)",
        (("y_true", "y_pred"), ("y_true", "y_pred", "distance")),
    ),
    "model": Kind(
        "dmf_cli.models", "model", "a function (input_shape, classes, *, ...)", (("input_shape", "classes"),)
    ),
    "strategy": Kind("dmf_cli.weighting", "weighting", "a subclass of dmf_cli.weighting.Strategy"),
    "metric": Kind(
        "dmf_cli.metrics",
        "metrics",
        "a function (truth, prediction, *, ...) or (counts, *, ...)",
        (("truth", "prediction"), ("counts",)),
    ),
    "augmentation": Kind(
        "dmf_cli.augmentations",
        "augment",
        "a function (images, labels, draw, *, ...)",
        (("images", "labels", "draw"),),
    ),
    "dataset": Kind("dmf_cli.datasets", "dataset", "a function or a class (*, ...)", ((),)),
}
