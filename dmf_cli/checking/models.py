"""What every network has to do: ``(input_shape, classes) -> keras.Model`` of probabilities."""

import dataclasses
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from dmf_cli import runtime
from dmf_cli.checking.findings import Broken, Noted, Property, Skipped, called
from dmf_cli.errors import ConfigError
from dmf_cli.quiet import quiet

Build = Callable[[tuple[int, int, int], int], keras.Model]
Size = tuple[int, int, int]
SMALLEST: Size = (32, 32, 1)
LARGER: Size = (48, 64, 1)
COLOUR: Size = (32, 32, 3)
ODD: Size = (33, 47, 1)
IGNORED = "key/bias"  # softmax ignores what attention adds to all keys alike
EXACT = 1e-5  # of sums of probabilities


@dataclasses.dataclass
class Network:
    """An architecture with its parameters fixed; what it builds is kept.

    Args:
        build: ``(input_shape, classes) -> keras.Model``.
    """

    build: Build
    made: dict[tuple[Size, int, str], keras.Model] = dataclasses.field(default_factory=dict)

    def __call__(self, size: Size, classes: int) -> keras.Model:
        """The network; :class:`Broken` if there is none."""
        key = (size, classes, keras.config.dtype_policy().name)
        if key not in self.made:
            example = _example(size, classes)
            found = called(self.build, size, classes, **example)
            if not isinstance(found, keras.Model):
                raise Broken(f"returns {type(found).__name__}: return a keras.Model", **example)
            self.made[key] = found
        return self.made[key]

    def map(self, size: Size, classes: int, contrast: float = 1.0) -> np.ndarray:
        """What it gives for noise; :class:`Broken` unless it is of the right shape."""
        network, example = self(size, classes), _example(size, classes)
        found = called(lambda: ops.convert_to_numpy(network(contrast * noise(size))), **example)
        wanted = (2, *size[:2], classes)
        if found.shape != wanted:
            what = f"gives {found.shape} for images of {(2, *size)} and {classes} classes"
            raise Broken(f"{what}: give {wanted}", **example)
        result: np.ndarray = found
        return result


def gives_a_model(network: Network) -> str:
    """A model from one image to one map."""
    found = called(made := network(SMALLEST, 2), noise(SMALLEST), **_example(SMALLEST, 2))
    if not hasattr(found, "shape"):
        raise Broken(f"gives {len(found)} outputs: end in the probabilities", **_example(SMALLEST, 2))
    return f"{made.count_params():,} weights for {SMALLEST[0]}x{SMALLEST[1]} grey images and 2 classes"


def any_size(network: Network, sizes: tuple[Size, ...] = (SMALLEST, LARGER)) -> None:
    """Maps of the size of the image."""
    for size in sizes:
        network.map(size, 2)


def odd_sizes(network: Network) -> None:
    """Sizes that cannot be halved; only for networks that take them."""
    try:
        network.map(ODD, 2)
    except Broken as broken:
        what = f"{ODD[0]}x{ODD[1]}: {broken.detail}"
        if isinstance(broken.__cause__, ConfigError):
            raise Skipped(what) from None
        raise Noted(f"{what}; choose dataset.image_size by it") from None


def grey_and_colour(network: Network) -> None:
    """Images of one channel and of three."""
    for size in (SMALLEST, COLOUR):
        network.map(size, 2)


def one_class_to_three(network: Network) -> None:
    """A sigmoid for one class, a softmax for more."""
    for classes in (1, 3):
        network.map(SMALLEST, classes)


def gives_probabilities(network: Network) -> None:
    """From 0 to 1, and 1 over the classes, also where the network is sure."""
    for classes in (1, 2, 3):
        example = _example(SMALLEST, classes)
        found = network.map(SMALLEST, classes, 100.0)
        low, high = float(found.min()), float(found.max())
        if low < 0 or high > 1:
            head = "sigmoid" if classes == 1 else "softmax over the classes"
            raise Broken(f"values from {low:.3g} to {high:.3g}: end in a {head}, not in logits", **example)
        sums = found.sum(axis=-1)
        if classes > 1 and np.abs(sums - 1).max() > EXACT:
            worst = float(sums.flat[np.abs(sums - 1).argmax()])
            raise Broken(
                f"sum to {worst:.3g} over {classes} classes: end in a softmax over the last axis", **example
            )


@quiet()  # TensorFlow says that oneDNN has no float16 on this processor
def float32_head(network: Network) -> None:
    """Probabilities in float32, also under ``trainer.precision=mixed_float16``."""
    for policy in ("float32", "mixed_float16"):
        with runtime.precision(policy):
            found = called(network(SMALLEST, 2), noise(SMALLEST), **_example(SMALLEST, 2))
        dtype = keras.backend.standardize_dtype(found.dtype)
        if dtype != "float32":
            raise Broken(
                f'gives {dtype} under {policy}: give the last layer dtype="float32"', **_example(SMALLEST, 2)
            )
        if not np.isfinite(ops.convert_to_numpy(found)).all():
            raise Broken(f"gives NaN or infinite values under {policy}", **_example(SMALLEST, 2))


def survives_saving(network: Network) -> None:
    """Saved and loaded, it gives the same."""
    made, images = network(SMALLEST, 2), noise(SMALLEST)
    example = _example(SMALLEST, 2)
    with tempfile.TemporaryDirectory(prefix="dmf-check-") as folder:
        file = Path(folder) / "model.keras"
        called(made.save, file, **example)
        loaded = called(lambda: keras.models.load_model(file, compile=False), **example)
    before, after = (ops.convert_to_numpy(each(images, training=False)) for each in (made, loaded))
    if not np.allclose(before, after, atol=1e-6):
        raise Broken(f"outputs differ by {np.abs(before - after).max():.3g} after loading", **example)


def trains_every_weight(network: Network) -> str:
    """A step changes each weight that can be trained."""
    size = ODD  # two places and more where attention looks at
    try:
        network.map(size, 2)
    except Broken:
        size = SMALLEST
    made = network(size, 2)
    images, example = noise(size), _example(size, 2)
    if not made.trainable_weights:
        raise Broken("has no weight that can be trained", **example)
    before = [np.array(ops.convert_to_numpy(weight)) for weight in made.trainable_weights]
    truth = np.eye(2, dtype="float32")[(images[..., 0] > 0).astype(int)]
    made.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", run_eagerly=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights without a gradient: they are reported below
        called(made.train_on_batch, images, truth, **example)
    pairs = zip(made.trainable_weights, before, strict=True)
    still = [w.path for w, was in pairs if np.array_equal(w, was) and not w.path.endswith(IGNORED)]
    if len(still) == len(before):
        raise Broken("no weight is changed by a step: does a gradient pass through it?", **example)
    if still:
        more = f" and {len(still) - 1} more" if len(still) > 1 else ""
        raise Noted(f"a step does not change {still[0]}{more}")
    return f"{len(before)} of them"


PROPERTIES = (
    Property("gives a network", gives_a_model),
    Property("probabilities", gives_probabilities),
    Property("size of the image", any_size),
    Property("odd sizes", odd_sizes),
    Property("1 and 3 channels", grey_and_colour),
    Property("1 and 3 classes", one_class_to_three),
    Property("float32 head", float32_head),
    Property("saving and loading", survives_saving),
    Property("a step changes every weight", trains_every_weight),
)


def noise(size: Size, count: int = 2) -> np.ndarray:
    """Images ``(count, height, width, channels)``, the same each time."""
    return np.random.default_rng(0).normal(size=(count, *size)).astype("float32")


def _example(size: Size, classes: int) -> dict[str, Any]:
    return {"input_shape": size, "classes": classes}
