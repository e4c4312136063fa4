"""From an image to its mask: one object, the same in training's own scores, `eval`, `predict` and `export`.

In this order: probabilities of each network and mirror, their mean, the temperature, the size of the image,
the decision, cleaning. NumPy only: networks are functions that are passed in.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from dmf_cli.datasets.input_spec import Geometry, InputSpec, restore
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.inference.calibration import tempered
from dmf_cli.inference.cleaning import fill_holes, keep_largest
from dmf_cli.inference.dice_optimal import dice_optimal

Predict = Callable[[np.ndarray], np.ndarray]
Resolution = Literal["original", "network"]
Mirror = Literal["both"] | bool
# Axes of (batch, height, width, channels) that are reversed together, for each value of predict.mirror.
MIRRORS: Mapping[Mirror, tuple[tuple[int, ...], ...]] = {
    False: ((),),
    True: ((), (2,)),
    "both": ((), (2,), (1,), (1, 2)),
}


@dataclasses.dataclass(frozen=True)
class Prediction:
    """How networks give the mask of an image.

    Args:
        spec: of the networks' inputs.
        threshold: in (0, 1); one or two channels: foreground from this probability on. With more
            channels the likeliest class decides.
        resolution: ``original``: probabilities are resized back to the image before the decision.
            ``network``: decided as they are, letterbox padding included.
        mirror: also predict the image mirrored left to right (True), and upside down too (``both``).
        decision: ``threshold``, or ``dice``: the pixels with the largest expected Dice.
        component: ``largest`` keeps that of each class, ``all`` every one.
        holes: ``fill`` those of each class, or ``keep`` them.
        temperature: logarithms of probabilities are divided by it; above 1 they become less certain.
    """

    spec: InputSpec
    threshold: float = 0.5
    resolution: Resolution = "original"
    mirror: Mirror = False
    decision: Literal["threshold", "dice"] = "threshold"
    component: Literal["all", "largest"] = "all"
    holes: Literal["keep", "fill"] = "keep"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1.0:
            allowed = "a number above 0 and below 1"
            raise ConfigError(key="metrics.threshold", value=self.threshold, allowed=allowed)
        if self.resolution not in ("original", "network"):
            raise UnknownNameError("eval.resolution", self.resolution, ["original", "network"])

    def applied(self, predict: Predict) -> Predict:
        """``predict`` with mirrors and temperature."""
        if self.mirror is False and self.temperature == 1.0:
            return predict

        def averaged(images: np.ndarray) -> np.ndarray:
            return tempered(mirrored(predict, images, self.mirror), self.temperature)

        return averaged

    def truth(self, label: np.ndarray) -> np.ndarray:
        """The label map ``(H, W)`` that a mask is compared with."""
        return label if self.resolution == "original" else self.spec.label(label)

    def decide(self, probabilities: np.ndarray, where: Geometry) -> tuple[np.ndarray, np.ndarray]:
        """Labels, uint8, and foreground probability from the probabilities ``(h, w, K)`` of one input."""
        binary = probabilities.shape[-1] <= 2
        # Of two channels one says it all, and resizing is what takes time here.
        chosen = probabilities[..., -1:] if binary else probabilities
        if self.resolution == "original":
            chosen = restore(chosen, where)
        foreground = chosen[..., 0] if binary else 1.0 - chosen[..., 0]
        mask = self._mask(chosen)
        if self.component == "largest":
            mask = keep_largest(mask)
        return (fill_holes(mask) if self.holes == "fill" else mask), foreground

    def _mask(self, chosen: np.ndarray) -> np.ndarray:
        """Labels of the probabilities ``(H, W, K)``, of one foreground class ``(H, W, 1)``."""
        if self.decision == "dice":
            return dice_optimal(chosen)
        if chosen.shape[-1] == 1:
            return (chosen[..., 0] >= self.threshold).astype(np.uint8)
        likeliest: np.ndarray = np.argmax(chosen, axis=-1).astype(np.uint8)
        return likeliest

    def pixel(self, where: Geometry) -> tuple[float, float]:
        """(height, width) of a pixel of the masks, in pixels of the image as it was."""
        if self.resolution == "original":
            return 1.0, 1.0
        return where.original[0] / where.box[2], where.original[1] / where.box[3]

    def rule(self, classes: int) -> str:
        """In words, for the header of tables: ``mirrored, Dice-optimal, temperature 1.31``."""
        by = "likeliest class" if classes > 2 else f"threshold {self.threshold:g}"
        said = {
            "mirrored": self.mirror is True,
            "mirrored on both axes": self.mirror == "both",
            "Dice-optimal" if self.decision == "dice" else by: True,
            "largest component": self.component == "largest",
            "holes filled": self.holes == "fill",
            f"temperature {self.temperature:.3g}": self.temperature != 1.0,
        }
        return ", ".join(text for text, holds in said.items() if holds)

    @property
    def options(self) -> dict[str, Any]:
        """What differs from a plain threshold, for the settings of a summary; empty if nothing does."""
        plain = {field.name: field.default for field in dataclasses.fields(self)[3:]}
        values = {name: getattr(self, name) for name in plain}
        return values if values != plain else {}


def mirrored(predict: Predict, images: np.ndarray, mirror: Mirror) -> np.ndarray:
    """The mean of what ``predict`` gives for ``images`` and for each of their mirrors, turned back."""
    total: np.ndarray | float = 0.0
    for axes in MIRRORS[mirror]:
        total = total + np.flip(np.asarray(predict(np.flip(images, axes)), np.float32), axes)
    mean: np.ndarray = np.asarray(total) / np.float32(len(MIRRORS[mirror]))
    return mean
