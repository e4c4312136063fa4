"""A loss with one fault fails the property of that name, and the smallest input shows it."""

import os

import numpy as np
import pytest
from keras import ops

from dmf_cli.checking.findings import FAILED, NOTED, PASSED, outcomes
from dmf_cli.checking.loss_trial import TriedLoss
from dmf_cli.checking.losses import PROPERTIES, speed


def dead(y_true, y_pred):
    """The Dice of the notebook of the paper."""
    hard = ops.one_hot(ops.argmax(y_pred, axis=-1), y_pred.shape[-1])
    return 1.0 - 2.0 * ops.sum(y_true * hard) / (ops.sum(y_true) + ops.sum(hard))


def exploding(y_true, y_pred):
    return -ops.mean(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred))


def ordered(y_true, y_pred):
    rank = ops.cast(ops.arange(ops.shape(y_true)[0]) + 1, "float32")
    return ops.mean(ops.reshape(rank, (-1, *[1] * (len(y_true.shape) - 1))) * (y_true - y_pred) ** 2)


def upside_down(y_true, y_pred):
    return ops.mean(y_true * y_pred)


def wrong_way(y_true, y_pred):
    """Its gradient points uphill."""
    error = ops.mean((y_true - y_pred) ** 2)
    return 2 * ops.stop_gradient(error) - error


def images_only(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2, axis=(0, 1, 2, 3)) if len(y_pred.shape) == 4 else y_pred.no


def softmax_only(y_true, y_pred):
    return ops.mean((y_true[..., 1] - y_pred[..., 1]) ** 2)


def per_sample(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2, axis=(1, 2))


def sharp(y_true, y_pred):
    """Its value is finite at a perfect match and its gradient is not."""
    return ops.mean(ops.sqrt(ops.abs(y_true - y_pred)))


def summed(y_true, y_pred):
    return ops.sum((ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")) ** 2)


def half(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2)


def of_known_batches(y_true, y_pred):
    return ops.mean((y_true - y_pred) ** 2) * (y_true.shape[0] / y_true.shape[0])


def found(function, state=FAILED):
    """Property -> outcome of those in this state."""
    return {one.name: one for one in outcomes(TriedLoss.of(function), PROPERTIES) if one.state == state}


@pytest.mark.parametrize(
    ("function", "name", "said", "pixels"),
    [
        (dead, "a gradient", "its gradient is", 1),
        (exploding, "finite at 0 and 1", "gives nan", 1),
        (exploding, "empty and full masks", "gives nan", 1),
        (ordered, "order of the batch", "with the images exchanged", 2),
        (upside_down, "least at a perfect match", "at a perfect match", 1),
        (wrong_way, "a step against the gradient", "after a step", 1),
        (softmax_only, "1 class (sigmoid)", "", 1),
        (per_sample, "gives one finite number", "gives shape (1, 1)", 1),
        (sharp, "empty and full masks", "its gradient is", 1),
    ],
)
def test_the_property_that_fails_and_the_smallest_input(function, name, said, pixels) -> None:
    outcome = found(function)[name]
    assert said in outcome.detail
    given: dict = {}
    exec(outcome.example, {"np": np}, given)  # it can be pasted
    assert {array.size for array in given.values()} == {pixels}
    assert set(given) == {"y_true", "y_pred"}


@pytest.mark.parametrize("function", [ordered, sharp, upside_down, exploding, dead])
def test_what_holds_is_not_reported(function) -> None:
    failed = set(found(function))
    allowed = {
        ordered: {"order of the batch"},
        sharp: {"finite at 0 and 1", "empty and full masks", "absent classes"},
        upside_down: {"least at a perfect match", "absent classes"},
        exploding: {
            "finite at 0 and 1",
            "empty and full masks",
            "absent classes",
            "least at a perfect match",
        },
        dead: {"a gradient", "least at a perfect match"},
    }
    assert failed == allowed[function]


def test_a_loss_that_gives_nothing_usable_is_asked_no_more() -> None:
    assert [one.state for one in outcomes(TriedLoss.of(per_sample), PROPERTIES)] == [FAILED]
    (only,) = outcomes(TriedLoss.of(lambda y, p: ops.meen(y)), PROPERTIES)
    assert "has no attribute 'meen'" in only.detail


def test_notes_are_what_may_be_meant() -> None:
    notes = found(summed, NOTED)
    assert not found(summed)
    assert "it is a sum" in notes["scale with image size"].detail
    assert "gives float16" in found(half, NOTED)["float16"].detail
    assert found(images_only, NOTED)["1 to 3 axes"].detail == "not with 1 axis and 3 axes; enough for images"
    assert not found(images_only)


def test_a_loss_for_softmax_alone_is_judged_by_softmax() -> None:
    assert TriedLoss.of(softmax_only).classes == (2, 3)
    assert "empty and full masks" not in found(softmax_only)


def test_a_batch_of_unknown_size_is_compiled() -> None:
    import keras

    failed = found(of_known_batches)
    assert ("compiled" in failed) == (keras.backend.backend() == "tensorflow")


def test_speed_is_a_figure_and_no_failure() -> None:
    assert "times the time of ce" in speed(TriedLoss(half, (2,), (1,)))


def test_a_good_loss_has_every_property() -> None:
    def good(y_true, y_pred):
        return ops.mean((ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")) ** 2)

    assert {one.state for one in outcomes(TriedLoss.of(good), PROPERTIES)} == {PASSED}


def test_what_a_library_says_of_float16_is_not_shown_between_the_lines(capfd):
    said = []

    def chatty(y_true, y_pred):
        if y_pred.dtype == "float16":
            said.append(os.write(2, b"oneDNN supports DT_HALF only on platforms with AVX-512\n"))
        return ops.mean((ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")) ** 2)

    (half,) = [each for each in PROPERTIES if each.name == "float16"]
    assert half.of(TriedLoss.of(chatty)).state == PASSED
    assert said
    assert "oneDNN" not in capfd.readouterr().err  # the backend may say more, where it starts here
