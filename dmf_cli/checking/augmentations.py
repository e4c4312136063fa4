"""What every augmentation has to do: ``(images, labels, draw) -> (images, labels)``, tensors of one batch."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dmf_cli.checking.findings import Broken, Noted, Property, called
from dmf_cli.datasets.input.augment import draw
from dmf_cli.errors import ConfigError
from dmf_cli.parameters import check as checked

Function = Callable[..., tuple[Any, Any]]
SIDES = (4, 32)  # of images
SEED, EPOCH = 3, 7
CLASSES = 3
CLOSE = 1e-5  # a batch of another size may be added up in another order


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """An augmentation with its parameters.

    Args:
        make: ``(seed, parameters) -> (images, labels, epoch, sample) -> (images, labels)``.
        parameters: by name.
    """

    make: Callable[[int, Mapping[str, Any]], Callable[..., Any]]
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    compiled: dict[Any, Callable[..., Any]] = dataclasses.field(default_factory=dict, init=False)

    @classmethod
    def of(cls, function: Function, parameters: Mapping[str, Any]) -> "Augmentation":
        """Of a function ``(images, labels, draw, **parameters) -> (images, labels)``."""

        def make(seed: int, parameters: Mapping[str, Any]) -> Callable[..., Any]:
            checked(function, parameters)

            def change(images: Any, labels: Any, epoch: Any, sample: Any) -> Any:
                return function(images, labels, functools.partial(draw, seed, epoch, sample), **parameters)

            return change

        return cls(make, parameters)

    def __call__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        seed: int = SEED,
        epoch: int = EPOCH,
        index: Any = None,
        compiled: bool = True,
    ) -> tuple[Any, Any]:
        """Compiled as in the input pipeline, or not, which is quicker for one batch."""
        samples = tf.range(len(images)) if index is None else tf.constant(index)
        batch = tf.constant(images), tf.constant(labels), tf.constant(epoch), samples
        example = {"images": images, "labels": labels}
        plain = self.make(seed, self.parameters)
        found = called(lambda: (self._compiled(seed, *batch) if compiled else plain)(*batch), **example)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise Broken(f"returns {type(found).__name__}: return (images, labels)", **example)
        return found[0], found[1]

    def _compiled(self, seed: int, *batch: Any) -> Callable[..., Any]:
        """For tensors of these shapes: TensorFlow warns where one function is traced for many."""
        key = seed, *(tensor.shape for tensor in batch)
        if key not in self.compiled:
            function = tf.function(self.make(seed, self.parameters), autograph=False)
            self.compiled[key] = function.get_concrete_function(*batch)
        return self.compiled[key]


def batches(channels: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Smooth images of three samples with their label maps, from small ones on."""
    for side in SIDES:
        y, x = np.mgrid[:side, : side + 4] / side
        labels = np.stack([(4 * x + 3 * y + shift).astype(int) % CLASSES for shift in range(3)]).astype(
            np.uint8
        )
        images = (labels / CLASSES + 0.1 * x)[..., None].repeat(channels, -1).astype("float32").round(3)
        yield images, labels


def keeps_shapes(augmentation: Augmentation) -> None:
    """Images and labels of the same shape and type as before, of one channel and of three."""
    for images, labels in (*batches(), next(batches(channels=3))):
        both = zip((images, labels), augmentation(images, labels), strict=True)
        for name, (before, after) in zip(("images", "labels"), both, strict=True):
            shape, dtype = tuple(after.shape), after.dtype.name
            if (shape, dtype) != (before.shape, before.dtype.name):
                what = f"{name} of {before.dtype.name} {before.shape} become {dtype} {shape}"
                raise Broken(what, images=images, labels=labels)


def finite(augmentation: Augmentation) -> None:
    """No NaN, for black images neither."""
    for images, labels in batches():
        for batch in (images, 0 * images):
            changed = augmentation(batch, labels)[0].numpy()
            if not np.isfinite(changed).all():
                raise Broken("gives NaN or infinite values", images=batch, labels=labels)


def keeps_classes(augmentation: Augmentation) -> None:
    """Labels stay indices of classes that the image has: none is mixed of two."""
    for images, labels in batches():
        changed = np.asarray(augmentation(images, labels)[1])
        odd = sorted({*np.unique(changed).tolist()} - {*range(CLASSES)})
        if odd:
            raise Broken(f"labels of 0 to {CLASSES - 1} become {odd[0]}", images=images, labels=labels)


def repeatable(augmentation: Augmentation) -> None:
    """The same for one seed, epoch and sample, whatever else is in the batch."""
    for images, labels in batches():
        example = {"images": images, "labels": labels}
        first, again = (augmentation(images, labels, index=[5, 2, 6]) for _ in range(2))
        if not all(_same(a, b, 0.0) for a, b in zip(first, again, strict=True)):
            raise Broken("another result the second time: take random numbers from draw alone", **example)
        alone = augmentation(images[1:2], labels[1:2], index=[2])
        if not all(_same(a[1:2], b, CLOSE) for a, b in zip(first, alone, strict=True)):
            raise Broken("a sample by itself has another result than among others", **example)


def changes(augmentation: Augmentation) -> str | None:
    """Another epoch, sample or seed brings another change."""
    images, labels = list(batches())[-1]
    image, label = images[:1], labels[:1]
    first = augmentation(image, label)
    if all(_same(after, before, CLOSE) for after, before in zip(first, (image, label), strict=True)):
        others = [augmentation(image, label, epoch=EPOCH + n) for n in range(1, 6)]
        if all(_same(one[0], image, CLOSE) and _same(one[1], label, 0) for one in others):
            raise Noted("changes nothing in 6 epochs")
    for name, other in (
        ("epoch", {"epoch": EPOCH + 1}),
        ("sample", {"index": [9]}),
        ("seed", {"seed": SEED + 1}),
    ):
        again = augmentation(image, label, compiled=False, **other)
        if all(_same(one, before, CLOSE) for one, before in zip(again, first, strict=True)):
            raise Noted(f"another {name} brings the same change")
    return None


def at_zero(augmentation: Augmentation) -> str | None:
    """Every number among the parameters at 0, by itself and all together, if 0 is allowed."""
    images, labels = next(batches())
    zeros = {
        name: type(value)(0)
        for name, value in augmentation.parameters.items()
        if _may_be_0(augmentation, name)
    }
    for part in (*({name: zero} for name, zero in zeros.items()), zeros):
        what = f"{' and '.join(part)} at 0"
        changed = Augmentation(augmentation.make, {**augmentation.parameters, **part})
        try:
            finite_images = np.isfinite(changed(images, labels, compiled=False)[0].numpy()).all()
        except Broken as broken:
            raise Broken(f"{what}: {broken.detail}", images=images, labels=labels) from None
        if not finite_images:
            raise Broken(f"{what}: NaN or infinite values", images=images, labels=labels)
    return ", ".join(zeros) or "none can be 0"


PROPERTIES = (
    Property("keeps shapes and types", keeps_shapes),
    Property("finite", finite),
    Property("labels stay classes", keeps_classes),
    Property("repeatable", repeatable),
    Property("another change each time", changes),
    Property("parameters at 0", at_zero),
)


def _may_be_0(augmentation: Augmentation, name: str) -> bool:
    """Whether a parameter is a number, and 0 within its range."""
    value = augmentation.parameters[name]
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        augmentation.make(SEED, {**augmentation.parameters, name: type(value)(0)})
    except ConfigError:
        return False
    return True


def _same(one: Any, other: Any, tolerance: float) -> bool:
    return bool(np.allclose(np.asarray(one), np.asarray(other), rtol=0.0, atol=tolerance))
