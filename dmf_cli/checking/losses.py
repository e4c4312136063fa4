"""What every loss has to do, whatever it computes.

Each property is looked for in inputs from one pixel on; the first that lacks it is the example.
"""

import operator
from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from dmf_cli.checking import loss_cases
from dmf_cli.checking.findings import Broken, Noted, Property, Skipped
from dmf_cli.checking.loss_cases import Shape, random_case, smeared
from dmf_cli.checking.loss_trial import AXES, Function, TriedLoss, gradient, named, seconds, step, value
from dmf_cli.ops.backend import compiled_for_any_batch
from dmf_cli.quiet import quiet

ROUNDING = 1e-5  # of sums in another order, relative
HALF = 3e-3  # of a value in float16
SAME_SCALE = 1e-2  # smoothing terms are of no scale
TIMED = (8, 64, 64)  # images, height, width
ROUNDS = 11


def gives_a_number(loss: TriedLoss) -> str:
    """One finite number of any probabilities."""
    if not (loss.classes and loss.axes):
        for shape in loss_cases.ASCENDING:
            value(loss.function, *random_case(shape))  # one of them raises, and says what is wrong
    for shape in loss.ascending:
        found = value(loss.function, *random_case(shape))
    return f"{found:.4g} of random probabilities"


def one_class(loss: TriedLoss) -> None:
    """A sigmoid foreground."""
    for shape in ((1, 1, 1, 1), (2, 4, 5, 1)):
        gradient(loss.function, *random_case(shape))


def three_classes(loss: TriedLoss) -> None:
    """A softmax over three classes."""
    for shape in ((1, 1, 1, 3), (2, 4, 5, 3)):
        gradient(loss.function, *random_case(shape))


def one_axis_to_three(loss: TriedLoss) -> None:
    """Signals and volumes beside images, which are all that ``dmf train`` has."""
    if loss.axes != AXES:
        missing = [f"{n} axis" if n == 1 else f"{n} axes" for n in AXES if n not in loss.axes]
        raise Noted(f"not with {' and '.join(missing)}; enough for images")
    for shape in loss.shapes:
        gradient(loss.function, *random_case(shape))


def has_a_gradient(loss: TriedLoss) -> None:
    """Where every class is there, the network can be trained by it."""
    for shape in loss.shapes:
        if _dead(loss.function, shape):
            smallest = next(small for small in loss.ascending if _dead(loss.function, small))
            why = _dead(loss.function, smallest)
            raise Broken(
                f"its gradient is {why}: compute it from the probabilities, not from argmax or a threshold",
                **named(loss_cases.every_class(smallest)),
            )


def goes_down(loss: TriedLoss) -> None:
    """A small step against the gradient makes it smaller."""
    try:
        has_a_gradient(loss)
    except Broken:
        raise Skipped("it has no gradient") from None
    if any(_goes_up(loss.function, shape) for shape in loss.shapes):
        smallest = next(small for small in loss.ascending if _goes_up(loss.function, small))
        raise Broken(_goes_up(loss.function, smallest), **named(loss_cases.every_class(smallest)))


def finite_at_0_and_1(loss: TriedLoss) -> None:
    """A network that is sure, right or wrong."""
    for shape in loss.ascending:
        y_true = loss_cases.masks(shape)["mixed"]
        for y_pred in loss_cases.masks(shape).values():
            gradient(loss.function, y_true, y_pred)


def empty_and_full(loss: TriedLoss) -> None:
    """A mask of background alone, or of one structure alone, whatever is predicted."""
    for shape in loss.ascending:
        empty, full, mixed = loss_cases.masks(shape).values()
        for y_true in (empty, full):
            for y_pred in (random_case(shape)[1], empty, full, mixed):
                gradient(loss.function, y_true, y_pred)


def absent_classes(loss: TriedLoss) -> str | None:
    """A class that nobody shows or predicts."""
    if 3 not in loss.classes:
        return "of 2 classes at most"
    for shape in ((1, 1, 1, 2), (2, 4, 5, 2)):
        y_true, y_pred = loss_cases.absent(random_case(shape))
        gradient(loss.function, y_true, y_pred)
        _perfect_is_least(loss.function, y_true, [y_pred])
    return None


def least_at_a_perfect_match(loss: TriedLoss) -> None:
    """No prediction is better than the truth, and a worse one costs more."""
    for shape in loss.ascending:
        y_true, y_pred = random_case(shape)
        _perfect_is_least(
            loss.function, y_true, [y_pred, *(smeared(y_true, t) for t in (0.05, 0.2, 0.45, 1.0))]
        )
    for shape in loss.shapes:
        perfect, wrong = _ends(loss.function, shape)
        if not wrong > perfect:
            smallest = next(
                small for small in loss.ascending if operator.le(*_ends(loss.function, small)[::-1])
            )
            perfect, wrong = _ends(loss.function, smallest)
            raise Broken(
                f"{perfect:.6g} at the truth and {wrong:.6g} far from it",
                y_true=loss_cases.every_class(smallest)[0],
            )


def any_order_of_the_batch(loss: TriedLoss) -> None:
    """The mean over a batch, or a ratio of sums, does not know which image comes first."""
    for shape in loss.ascending:
        for seed in range(3 if shape[0] > 1 else 0):
            y_true, y_pred = random_case(shape, seed)
            here, there = (value(loss.function, y_true[order], y_pred[order]) for order in ([0, 1], [1, 0]))
            if not _close(here, there):
                raise Broken(
                    f"{here:.6g}, and {there:.6g} with the images exchanged", y_true=y_true, y_pred=y_pred
                )


def scale_with_image_size(loss: TriedLoss) -> str:
    """An image that repeats itself has the same value: else its weight depends on the size of the images.

    Distances in pixels do change, so this is no failure.
    """
    y_true, y_pred = loss_cases.every_class((1, 8, 8, loss.classes[-1]))
    small, large = (
        value(loss.function, np.tile(y_true, n), np.tile(y_pred, n)) for n in ((1,) * 4, (1, 2, 2, 1))
    )
    if _close(small, large, SAME_SCALE):
        return "the same for four times the pixels"
    ratio = large / small if small else float("inf")
    sums = "it is a sum: take the mean, or " if abs(ratio - 4) < 0.05 else ""
    raise Noted(
        f"{ratio:.4g} times the value for four times the pixels: {sums}keep image sizes alike when comparing"
    )


@quiet()  # TensorFlow says that oneDNN has no float16 on this processor
def half_precision(loss: TriedLoss) -> None:
    """float16 comes in only from a network that does not end in float32, so this is no failure."""
    advice = "cast y_true and y_pred to float32 first"
    for shape in loss.ascending:
        y_true, y_pred = (array.astype("float16") for array in random_case(shape))
        exact = value(loss.function, y_true.astype("float32"), y_pred.astype("float32"))
        try:
            found, slope = gradient(loss.function, y_true, y_pred)
        except Broken as broken:
            raise Noted(f"{broken.detail}: {advice}") from None
        if shape in loss.shapes and slope is not None and not slope.any():
            raise Noted(f"its gradient is 0: {advice}")
        if abs(found - exact) > HALF * max(1.0, abs(exact)):
            raise Noted(f"{found:.4g}, and {exact:.4g} in float32: {advice}")
    result = loss.function(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    dtype = keras.backend.standardize_dtype(result.dtype)
    if dtype != "float32":
        raise Noted(f"gives {dtype}: {advice}")


def compiled_it_is_the_same(loss: TriedLoss) -> str:
    """Inside the compiled training step, where the size of a batch is not known."""
    shape = loss.shapes[-1] if 2 not in loss.axes else (2, 4, 5, loss.classes[-1])
    function = compiled_for_any_batch(loss.function, shape)
    for batch in (1, 3):
        y_true, y_pred = random_case((batch, *shape[1:]))
        plain, found = value(loss.function, y_true, y_pred), value(function, y_true, y_pred)
        if not _close(plain, found):
            raise Broken(f"{plain:.6g}, and {found:.6g} compiled", y_true=y_true, y_pred=y_pred)
    return f"on {keras.backend.backend()}"


def speed(loss: TriedLoss) -> str:
    """Value and gradient of a compiled batch, compared with those of cross-entropy."""
    from dmf_cli import losses

    y_true, y_pred = map(ops.convert_to_tensor, loss_cases.every_class((*TIMED, loss.classes[-1])))
    steps = [step(function) for function in (loss.function, losses.get("ce"))]
    # In turns, so that what else the machine does slows both.
    rounds = [[seconds(each, y_true, y_pred) for each in steps] for _ in range(ROUNDS)]
    own, ce = (min(column) for column in zip(*rounds[1:], strict=True))  # the first compiles
    images, height, width = TIMED
    return f"{own / ce:.1f} times the time of ce ({1e3 * own:.1f} ms for {images} images of {height}x{width})"


PROPERTIES = (
    Property("gives one finite number", gives_a_number),
    Property("a gradient", has_a_gradient),
    Property("a step against the gradient", goes_down),
    Property("finite at 0 and 1", finite_at_0_and_1),
    Property("empty and full masks", empty_and_full),
    Property("absent classes", absent_classes),
    Property("least at a perfect match", least_at_a_perfect_match),
    Property("order of the batch", any_order_of_the_batch),
    Property("1 class (sigmoid)", one_class),
    Property("3 classes", three_classes),
    Property("1 to 3 axes", one_axis_to_three),
    Property("float16", half_precision),
    Property("compiled", compiled_it_is_the_same),
    Property("scale with image size", scale_with_image_size),
)
MEASURED = (Property("speed", speed),)


def _dead(function: Function, shape: Shape) -> str:
    """``missing`` or ``0``; empty if there is one."""
    _, slope = gradient(function, *loss_cases.every_class(shape))
    return "missing" if slope is None else "" if slope.any() else "0"


def _goes_up(function: Function, shape: Shape) -> str:
    """What a step against the gradient does; empty if the loss goes down, or has no gradient."""
    y_true, y_pred = loss_cases.every_class(shape)
    before, slope = gradient(function, y_true, y_pred)
    if slope is None or not slope.any():
        return ""
    ahead = np.clip(y_pred - 0.01 * slope / np.abs(slope).max(), 0, 1).astype("float32")
    after = value(function, y_true, ahead)
    return "" if after < before else f"{before:.6g}, and {after:.6g} after a step against its gradient"


def _ends(function: Function, shape: Shape) -> tuple[float, float]:
    """The values at the truth and far from it."""
    y_true, _ = loss_cases.every_class(shape)
    return value(function, y_true, y_true), value(function, y_true, smeared(y_true, 0.45))


def _perfect_is_least(function: Function, y_true: np.ndarray, others: Iterable[np.ndarray]) -> None:
    perfect = value(function, y_true, y_true)
    for y_pred in others:
        other = value(function, y_true, y_pred)
        if perfect > other + 1e-5 * max(1.0, abs(other)):
            raise Broken(
                f"{perfect:.6g} at a perfect match, and {other:.6g} here", y_true=y_true, y_pred=y_pred
            )


def _close(one: float, other: float, tolerance: float = ROUNDING) -> bool:
    return abs(one - other) <= tolerance * max(abs(one), abs(other)) + 1e-6
