"""Augmentations of a plugin: what they may use, and what the first batch says about wrong ones."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dmf_cli import config as configs
from dmf_cli.datasets.input import augment, pipeline
from dmf_cli.errors import PluginError
from dmf_cli.parts import plugins


@pytest.fixture
def own(tmp_path):
    """``own("return images, labels")`` is an augmentation of the user's with that body, as it is chosen."""
    with plugins.isolated():

        def write(body):
            file = tmp_path / "lab.py"
            head = "def mine(images, labels, draw, *, sigma: float = 0.1):"
            file.write_text(f"import dmf_cli\n\n\n@dmf_cli.augmentation\n{head}\n    {body}\n")
            plugins.activate([str(file)])
            return configs.compose(["augment=mine", "augment.sigma=0.25"]).augment

        yield write


def test_an_augmentation_of_the_user_may_use_those_of_dmf(prepared, own):
    chosen = own(
        "from dmf_cli.augmentations import affine\n"
        "    images, labels = affine(images, labels, draw, flip=1.0)\n"
        "    return images + sigma * draw(9, images.shape[1:], normal=True), labels"
    )
    pipeline.check_augment(chosen, 0, prepared, 4, 2)
    change = augment.make(chosen, 0)
    options = {"batch_size": 4, "channels_out": 2, "seed": 0, "augment": change}
    x, y = next(pipeline.training_batches(prepared, **options).as_numpy_iterator())
    np.testing.assert_array_equal(y[..., 1], prepared.labels[:4, :, ::-1])
    noise = x - prepared.images[:4, :, ::-1]
    assert noise.std() == pytest.approx(0.25, rel=0.05)
    assert not np.array_equal(noise[0], noise[1])


BACK = "the pair (images float32 (4, 32, 32, 1), labels uint8 (4, 32, 32))"


@pytest.mark.parametrize(
    ("body", "line", "says", "allowed"),
    [
        ("return images", 5, "gives float32 (4, 32, 32, 1)", BACK),
        ("pass", 5, "gives NoneType", BACK),
        ("return images, labels, draw", 5, "gives tuple of 3", BACK),
        ("return images[:, 1:], labels", 5, "gives images float32 (4, 31, 32, 1)", BACK),
        ("import tensorflow as tf; return tf.cast(images, tf.float64), labels", 5, "images float64", BACK),
        ("return images, labels[..., None]", 5, "gives labels uint8 (4, 32, 32, 1)", BACK),
        ("return 'a', labels", 5, "gives images str", BACK),
        ("return images / 0.0, labels", 5, "NaN or infinite", "finite images"),
        ("return images, labels + 3", 5, "gives the label 3", "labels from 0 to 1"),
        ("raise ValueError('oh\\nno')", 6, "fails with ValueError: oh", None),
        ("return images * sgima, labels", 6, "fails with NameError: name 'sgima' is not defined", None),
        ("return (images, labels) if images[0, 0, 0, 0] > 0 else None", 6, "fails with Operator", None),
        (
            "import tensorflow as tf; return tf.numpy_function(lambda x: x, [images], tf.float32), labels",
            5,
            "gives images float32 of unknown shape",
            BACK,
        ),
    ],
)
def test_the_first_batch_shows_what_is_wrong_with_it(prepared, own, body, line, says, allowed):
    with pytest.raises(PluginError) as caught:
        pipeline.check_augment(own(body), 0, prepared, 4, 2)
    error = caught.value
    assert error.what.startswith(f"lab.py, line {line}: augmentation 'mine'")
    assert says in error.what
    assert "\n" not in str(error)
    assert (allowed in error.allowed) if allowed else "tf.where" in error.hint


@pytest.mark.parametrize(
    ("body", "says"),
    [("x[:, 1:]", "gives images float32 (4, 31, 32, 1)"), ("1 / 0", "ZeroDivisionError: division by zero")],
)
def test_a_function_in_numpy_keeps_the_shape_that_it_declares(prepared, own, body, says):
    chosen = own(
        "import tensorflow as tf\n"
        f"    new = tf.numpy_function(lambda x: {body}, [images], tf.float32)\n"
        "    new.set_shape(images.shape)\n"
        "    return new, labels"
    )
    with pytest.raises(PluginError) as caught:
        pipeline.check_augment(chosen, 0, prepared, 4, 2)
    assert says in caught.value.what


def test_the_example_of_the_page_of_the_augmentations_works(tmp_path, prepared):
    page = (Path(__file__).parents[3] / "docs/reference/augmentations.md").read_text()
    (tmp_path / "my.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    with plugins.isolated():
        plugins.activate([str(tmp_path / "my.py")])
        chosen = configs.compose(["augment=gain_map", "augment.flip=0"]).augment
        pipeline.check_augment(chosen, 0, prepared, 4, 2)
        batch = tf.constant(prepared.images[:4]), tf.constant(prepared.labels[:4])
        x, y = augment.make(chosen, 0)(*batch, tf.constant(0), tf.range(4))
    np.testing.assert_array_equal(y, prepared.labels[:4])
    change = x / prepared.images[:4]
    assert 0.05 < np.abs(change - 1.0).max() <= 0.2
