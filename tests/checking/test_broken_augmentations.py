"""An augmentation with one fault fails the property of that name."""

import pytest
import tensorflow as tf

from dmf_cli.checking.augmentations import PROPERTIES, Augmentation
from dmf_cli.checking.findings import FAILED, NOTED, PASSED, outcomes


def good(images, labels, draw, *, fade=0.3):
    return images * (1.0 + fade * draw(0, (1, 1, 1))), labels


def own_numbers(images, labels, draw):
    return images + tf.random.uniform(()), labels


def of_the_batch(images, labels, draw):
    return images - tf.reduce_mean(images) + draw(0, (1, 1, 1)), labels


def smaller(images, labels, draw):
    return images[:, :-1], labels[:, :-1]


def in_half(images, labels, draw):
    return tf.cast(images, tf.float16), labels


def blended(images, labels, draw):
    mixed = (tf.cast(labels, tf.float32) + 2.4 * tf.cast(labels[:, ::-1], tf.float32)) / 1.0
    return images + draw(0, (1, 1, 1)), tf.cast(mixed, labels.dtype)


def by_its_mean(images, labels, draw):
    return images / tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True) * (
        1 + 0.1 * draw(0, (1, 1, 1))
    ), labels


def divides(images, labels, draw, *, sigma=1.0):
    return images + draw(0, (1, 1, 1)) * (tf.constant(sigma) / tf.constant(sigma)), labels


def nothing(images, labels, draw):
    return images, labels


def images_alone(images, labels, draw):
    return images


def found(function, state=FAILED, **parameters):
    augmentation = Augmentation.of(function, parameters)
    return {one.name: one for one in outcomes(augmentation, PROPERTIES) if one.state == state}


@pytest.mark.parametrize(
    ("function", "name", "said"),
    [
        (own_numbers, "repeatable", "take random numbers from draw alone"),
        (of_the_batch, "repeatable", "by itself has another result"),
        (smaller, "keeps shapes and types", "become float32 (3, 3, 8, 1)"),
        (in_half, "keeps shapes and types", "become float16"),
        (blended, "labels stay classes", "labels of 0 to 2 become"),
        (by_its_mean, "finite", "NaN or infinite"),
        (images_alone, "keeps shapes and types", "return (images, labels)"),
    ],
)
def test_the_property_that_fails(function, name, said) -> None:
    outcome = found(function)[name]
    assert said in outcome.detail
    assert outcome.example.startswith("images = np.array(")


def test_a_parameter_at_0_is_tried() -> None:
    assert "sigma at 0: NaN" in found(divides, sigma=1.0)["parameters at 0"].detail


def test_an_augmentation_that_does_nothing_is_noted() -> None:
    assert "changes nothing" in found(nothing, NOTED)["another change each time"].detail


def test_a_good_augmentation_has_every_property() -> None:
    states = [one.state for one in outcomes(Augmentation.of(good, {"fade": 0.3}), PROPERTIES)]
    assert states == [PASSED] * len(PROPERTIES)
