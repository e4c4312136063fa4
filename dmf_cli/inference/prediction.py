"""From an image to its mask: one object, the same in training's own scores, `eval`, `predict` and `export`.

In this order: probabilities of each network and mirror, their mean, tiles joined, the temperature, the size
of the image, the decision, cleaning. NumPy only: networks are functions that are passed in.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from dmf_cli.datasets.input_spec import Geometry, InputSpec, restore
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.inference.calibration import tempered
from dmf_cli.inference.cleaning import fill_holes, keep_largest
from dmf_cli.inference.dice_optimal import dice_optimal
from dmf_cli.inference.tiles import ProbabilitiesOf, tiled

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

    def applied(self, predict: ProbabilitiesOf, batch: int) -> ProbabilitiesOf:
        """``predict`` with mirrors and temperature; one that takes patches then takes whole images.

        Args:
            predict: the network's.
            batch: patches at once.
        """
        whole = self.joined(predict, batch)
        if self.temperature == 1.0:
            return whole
        return lambda images: tempered(np.asarray(whole(images), np.float32), self.temperature)

    def joined(self, predict: ProbabilitiesOf, batch: int) -> ProbabilitiesOf:
        """``predict`` with mirrors, for whole images: what the temperature is chosen for and comes after."""

        def averaged(images: np.ndarray) -> np.ndarray:
            return mirrored(predict, images, self.mirror)

        used = predict if self.mirror is False else averaged
        return used if self.spec.patch is None else tiled(used, self.spec.patch, batch)

    def filled(self, inputs: np.ndarray, batch: int) -> np.ndarray:
        """``inputs`` with the last one repeated: a smaller last batch would be compiled once more.

        Of a network that takes patches they stay as they are, for their tiles are filled up.
        """
        missing = 0 if self.spec.patch else batch - len(inputs)
        return np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])

    def truth(self, label: np.ndarray) -> np.ndarray:
        """The label map ``(H, W)`` that a mask is compared with."""
        return label if self.resolution == "original" else self.spec.label(label)

    def decide(self, probabilities: np.ndarray, where: Geometry) -> tuple[np.ndarray, np.ndarray]:
        """Labels, uint8, and foreground probability from the probabilities ``(h, w, K)`` of one input."""
        resized = self.resized(probabilities, where)
        binary = resized.shape[-1] == 1
        return self.mask(resized), (resized[..., 0] if binary else 1.0 - resized[..., 0])

    def resized(self, probabilities: np.ndarray, where: Geometry) -> np.ndarray:
        """Probabilities ``(H, W, K)`` at the resolution of the masks; of two channels the foreground."""
        # Of two channels one says it all, and resizing is what takes time here.
        chosen = probabilities[..., -1:] if probabilities.shape[-1] == 2 else probabilities
        return restore(chosen, where) if self.resolution == "original" else chosen

    def mask(self, resized: np.ndarray) -> np.ndarray:
        """Labels, uint8, of what :meth:`resized` gave."""
        mask = self._decided(resized)
        if self.component == "largest":
            mask = keep_largest(mask)
        return fill_holes(mask) if self.holes == "fill" else mask

    def _decided(self, resized: np.ndarray) -> np.ndarray:
        if self.decision == "dice":
            return dice_optimal(resized)
        if resized.shape[-1] == 1:
            above: np.ndarray = (resized[..., 0] >= self.threshold).astype(np.uint8)
            return above
        likeliest: np.ndarray = np.argmax(resized, axis=-1).astype(np.uint8)
        return likeliest

    def pixel(self, where: Geometry) -> tuple[float, float]:
        """(height, width) of a pixel of the masks, in pixels of the image as it was."""
        if self.resolution == "original":
            return 1.0, 1.0
        return where.original[0] / where.box[2], where.original[1] / where.box[3]

    def rule(self, classes: int, own: Sequence[str] = ()) -> str:
        """In words, for the header of tables: ``mirrored, Dice-optimal, temperature 1.31``.

        Args:
            classes: background included.
            own: fields that are another for each network of several.
        """
        by = "likeliest class" if classes > 2 else f"threshold {self.threshold:g}"
        said = {
            "mirrored": self.mirror is True,
            "mirrored on both axes": self.mirror == "both",
            "Dice-optimal" if self.decision == "dice" else by: "threshold" not in own,
            "largest component": self.component == "largest" and "component" not in own,
            "holes filled": self.holes == "fill" and "holes" not in own,
            f"temperature {self.temperature:.3g}": self.temperature != 1.0 and "temperature" not in own,
            f"each network's own {' and '.join(own)}": bool(own),
        }
        return ", ".join(text for text, holds in said.items() if holds)

    @property
    def options(self) -> dict[str, Any]:
        """What differs from a plain threshold, for the settings of a summary; empty if nothing does."""
        plain = {field.name: field.default for field in dataclasses.fields(self)[3:]}
        values = {name: getattr(self, name) for name in plain}
        return values if values != plain else {}


def mirrored(predict: ProbabilitiesOf, images: np.ndarray, mirror: Mirror) -> np.ndarray:
    """The mean of what ``predict`` gives for ``images`` and for each of their mirrors, turned back."""
    total: np.ndarray | float = 0.0
    for axes in MIRRORS[mirror]:
        total = total + np.flip(np.asarray(predict(np.flip(images, axes)), np.float32), axes)
    mean: np.ndarray = np.asarray(total) / np.float32(len(MIRRORS[mirror]))
    return mean
