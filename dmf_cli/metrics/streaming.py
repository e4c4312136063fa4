"""The metrics that run inside the compiled validation step, on every backend."""

import math
from typing import Any

import keras
from keras import ops

from dmf_cli.errors import ConfigError
from dmf_cli.metrics._empty import empty_name, empty_score
from dmf_cli.ops.reduce import total


@keras.saving.register_keras_serializable(package="dmf")
class ForegroundDice(keras.metrics.Metric):
    """Mean over images of the Dice of the hard foreground masks: ``compile(metrics=[ForegroundDice()])``.

    The foreground is the union of all classes above 0. Each image counts once, whatever the batches are
    (also a last, smaller one), so the figure does not depend on the batch size.

    Args:
        threshold: in (0, 1); one or two channels: foreground from this probability on. With more
            channels the likeliest class decides.
        empty: ``nan`` (images where truth and prediction are empty are excluded from the mean),
            ``zero``, ``one``.
        name: in the logs.
        dtype: of the two sums that are kept.

    Raises:
        ConfigError: a threshold or a rule that does not exist.

    Inputs are one-hot labels and probabilities ``(batch, *spatial, channels)``; one channel is a sigmoid
    foreground. ``sample_weight`` of shape ``(batch,)`` weighs images, of shape ``(batch, *spatial)`` (or
    with a last axis of 1) pixels. The result is NaN as long as no image counts, and with
    ``empty="nan"`` as long as no image holds a lesion: false alarms alone say nothing about an overlap.
    """

    def __init__(
        self,
        threshold: float = 0.5,
        empty: str = "nan",
        name: str = "foreground_dice",
        dtype: Any = "float32",
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if not 0.0 < threshold < 1.0:
            raise ConfigError(
                key="metrics.threshold", value=threshold, allowed="a number above 0 and below 1"
            )
        self.threshold, self.empty = threshold, empty_name(empty)
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")
        self.count = self.add_variable(shape=(), initializer="zeros", name="count")
        self.lesions = self.add_variable(shape=(), initializer="zeros", name="lesions")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the images of one batch."""
        truth, predicted = _foreground(y_true, 0.5), _foreground(y_pred, self.threshold)
        images, pixels = _weights(sample_weight, truth)
        dice, defined, there, _ = _dice(truth, predicted, pixels, self.empty)
        self._add(images, dice, defined, there)

    def _add(self, images: Any, dice: Any, defined: Any, there: Any) -> None:
        """Add values ``(batch,)`` and whether they are defined, and the images that hold a lesion."""
        self.total.assign_add(ops.cast(ops.sum(images * defined * dice), self.dtype))
        self.count.assign_add(ops.cast(ops.sum(images * defined), self.dtype))
        self.lesions.assign_add(ops.cast(ops.sum(images * there), self.dtype))

    def result(self) -> Any:
        """The mean so far; NaN while it is undefined."""
        total, count = ops.convert_to_tensor(self.total), ops.convert_to_tensor(self.count)
        known = count > 0.0
        if math.isnan(empty_score(self.empty)):
            known = ops.logical_and(known, ops.convert_to_tensor(self.lesions) > 0.0)
        return ops.where(known, total / ops.where(count > 0.0, count, 1.0), math.nan)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, for saving."""
        return {**super().get_config(), "threshold": self.threshold, "empty": self.empty}


@keras.saving.register_keras_serializable(package="dmf")
class MeanDice(keras.metrics.Metric):
    """Mean over the classes above 0 of the Dice of each: ``compile(metrics=[MeanDice(3)])``.

    The Dice of a class is its mean over images, undefined as in :class:`ForegroundDice`; the
    classes that are defined count alike, however many images hold them. The likeliest class decides.

    Args:
        classes: number of classes, background included, at least 3.
        empty: see :class:`ForegroundDice`.
        name: in the logs.
        dtype: of the sums that are kept.

    Attributes:
        present: images that hold each class above 0, ``(classes - 1,)``.
        predicted: images in which each class above 0 was predicted, ``(classes - 1,)``.
    """

    def __init__(
        self, classes: int, empty: str = "nan", name: str = "mean_dice", dtype: Any = "float32"
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.classes, self.empty = classes, empty_name(empty)
        shape = (classes - 1,)
        self.total = self.add_variable(shape=shape, initializer="zeros", name="total")
        self.count = self.add_variable(shape=shape, initializer="zeros", name="count")
        self.present = self.add_variable(shape=shape, initializer="zeros", name="present")
        self.predicted = self.add_variable(shape=shape, initializer="zeros", name="predicted")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the images of one batch."""
        labels = [ops.argmax(ops.convert_to_tensor(y), axis=-1) for y in (y_true, y_pred)]
        images, pixels = _weights(sample_weight, ops.cast(labels[0], "float32"))
        each = []
        for c in range(1, self.classes):
            truth, predicted = (ops.cast(label == c, "float32") for label in labels)
            dice, defined, there, said = _dice(truth, predicted, pixels, self.empty)
            each.append([ops.sum(images * one) for one in (dice * defined, defined, there, said)])
        kept = (self.total, self.count, self.present, self.predicted)
        for variable, sums in zip(kept, zip(*each, strict=True), strict=True):
            variable.assign_add(ops.cast(ops.stack(sums), self.dtype))

    def of_classes(self) -> Any:
        """The Dice of each class above 0 so far, ``(classes - 1,)``; NaN where it is undefined."""
        total, count = ops.convert_to_tensor(self.total), ops.convert_to_tensor(self.count)
        return ops.where(self._known(), total / ops.where(count > 0.0, count, 1.0), math.nan)

    def result(self) -> Any:
        """The mean so far; NaN while no class is defined."""
        known = self._known()
        dice = ops.where(known, self.of_classes(), 0.0)
        classes = ops.sum(ops.cast(known, dice.dtype))
        return ops.where(classes > 0.0, ops.sum(dice) / ops.maximum(classes, 1.0), math.nan)

    def _known(self) -> Any:
        """Which classes have a Dice that is defined."""
        known = ops.convert_to_tensor(self.count) > 0.0
        if math.isnan(empty_score(self.empty)):
            known = ops.logical_and(known, ops.convert_to_tensor(self.present) > 0.0)
        return known

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, for saving."""
        return {**super().get_config(), "classes": self.classes, "empty": self.empty}


def _dice(truth: Any, predicted: Any, pixels: Any, empty: str) -> tuple[Any, Any, Any, Any]:
    """Of masks ``(batch, *spatial)`` the Dice of each image, and as 0 or 1 whether it is defined, whether
    the truth holds the structure, and whether the prediction does.
    """
    overlap = _per_image(truth * predicted * pixels)
    inside, said = _per_image(truth * pixels), _per_image(predicted * pixels)
    size = inside + said
    defined = ops.cast(size > 0.0, "float32")
    # Dividing by 1 where there is nothing keeps NaN out of the sum: NaN times 0 would stay NaN.
    dice = 2.0 * overlap / ops.where(size > 0.0, size, 1.0)
    score = empty_score(empty)
    if not math.isnan(score):
        dice, defined = dice + (1.0 - defined) * score, ops.ones_like(defined)
    return dice, defined, ops.cast(inside > 0.0, "float32"), ops.cast(said > 0.0, "float32")


def _foreground(probabilities: Any, threshold: float) -> Any:
    """0 or 1, float32, of ``(batch, *spatial, channels)`` without the channel axis."""
    probabilities = ops.cast(ops.convert_to_tensor(probabilities), "float32")
    if probabilities.shape[-1] <= 2:
        return ops.cast(probabilities[..., -1] >= threshold, "float32")
    return ops.cast(ops.argmax(probabilities, axis=-1) > 0, "float32")


def _per_image(values: Any) -> Any:
    return total(values, range(1, len(values.shape)))


def _weights(weight: Any, mask: Any) -> tuple[Any, Any]:
    """Weights ``(batch,)`` of images and ``(batch, *spatial)`` (or 1.0) of pixels."""
    if weight is None:
        return ops.ones_like(_per_image(mask)), 1.0
    weight = ops.cast(ops.convert_to_tensor(weight), "float32")
    rank = len(mask.shape)
    if len(weight.shape) == rank + 1:
        weight = ops.squeeze(weight, axis=-1)
    if len(weight.shape) == rank:
        return ops.ones_like(_per_image(mask)), weight
    return ops.reshape(weight, (-1,)), 1.0
