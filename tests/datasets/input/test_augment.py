import itertools
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dmf_cli import checking
from dmf_cli import config as configs
from dmf_cli.augmentations import _moves
from dmf_cli.checking.findings import PASSED
from dmf_cli.config.typed import Choice
from dmf_cli.datasets.input import augment, pipeline
from dmf_cli.errors import ConfigError, PluginError
from dmf_cli.parts import plugins, registry
from tests.raised import raises

STILL = dict.fromkeys(("flip", "rotate", "scale", "shift"), 0.0)
OFF = STILL | {"gain": 0.0, "gamma": 0.0}
DRAWN = [[0.657406, 0.19839549], [0.70769644, 0.2851913]]


@pytest.fixture
def prepared():
    """Eight images of a bright square with its mask, off the centre."""
    inputs, labels = np.full((8, 32, 32, 1), 0.25, np.float32), np.zeros((8, 32, 32), np.uint8)
    inputs[:, 8:14, 20:28], labels[:, 8:14, 20:28] = 0.75, 1
    return pipeline.Prepared(inputs, labels, tuple("abcdefgh"))


def batches(prepared, n, seed=0, first_epoch=0, **changes):
    change = augment.make(Choice("strong", changes), seed)
    options = {
        "batch_size": 4,
        "channels_out": 2,
        "seed": seed,
        "first_epoch": first_epoch,
        "augment": change,
    }
    return list(itertools.islice(pipeline.training_batches(prepared, **options).as_numpy_iterator(), n))


def test_none_changes_nothing():
    assert augment.make(Choice("none", {}), 0) is None


def test_limits_of_zero_change_nothing(prepared):
    for x, y in batches(prepared, 2):
        np.testing.assert_allclose(x, prepared.images[:4], rtol=1e-6)
        np.testing.assert_array_equal(y[..., 1], prepared.labels[:4])


def test_a_mirror_is_exact_and_comes_with_its_probability(prepared):
    (x, y), *_ = batches(prepared, 1, flip=1.0)
    np.testing.assert_allclose(x, prepared.images[:4, :, ::-1], rtol=1e-6)
    np.testing.assert_array_equal(y[..., 1], prepared.labels[:4, :, ::-1])
    mirrored = [bool(label[10, 6, 1]) for _, y in batches(prepared, 40, flip=0.5) for label in y]
    assert 0.35 < np.mean(mirrored) < 0.65


@pytest.mark.parametrize("change", [{"rotate": 25.0}, {"scale": 0.3}, {"shift": 0.2}])
def test_image_and_mask_move_together(prepared, change):
    moved = 0
    for x, y in batches(prepared, 4, **change):
        bright, mask = x[..., 0] > 0.5, y[..., 1] > 0
        assert 2 * (bright & mask).sum() / (bright.sum() + mask.sum()) > 0.9
        assert (y.sum(axis=-1) == 1).all()
        moved += int((mask != (prepared.labels[:4] > 0)).any())
    assert moved == 4


def test_gain_and_gamma_change_grey_values_alone(prepared):
    for x, y in batches(prepared, 2, gain=0.3, gamma=0.3):
        assert np.abs(x - prepared.images[:4]).max() > 0.01
        np.testing.assert_array_equal(y[..., 1], prepared.labels[:4])
        assert np.isfinite(x).all()


def test_it_is_a_function_of_seed_epoch_and_sample(prepared):
    changes = {"flip": 0.5, "rotate": 20.0, "shift": 0.1}
    first, again = batches(prepared, 6, **changes), batches(prepared, 6, **changes)
    resumed, other = batches(prepared, 2, first_epoch=2, **changes), batches(prepared, 6, seed=1, **changes)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first[4:], resumed, strict=True))
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))
    assert not np.array_equal(first[0][0], first[2][0])


def test_limits_are_checked_with_the_config():
    with raises(ConfigError, key="augment.rotate", value=200):
        configs.compose(["augment=affine", "augment.rotate=200"])


def group(name, **changes):
    chosen = configs.compose([f"augment={name}"]).augment
    return Choice(name, {**chosen.params, **changes})


def changed(name, images, labels, *, seed=0, epoch=0, index=None, **changes):
    index = tf.range(len(images)) if index is None else tf.constant(index)
    function = tf.function(augment.make(group(name, **changes), seed))
    moved, marked = function(tf.constant(images), tf.constant(labels), tf.constant(epoch), index)
    return moved.numpy(), marked.numpy()


@pytest.mark.parametrize("name", registry.names("augmentation"))
def test_what_dmf_check_looks_for(name):
    found = list(checking.check("augmentation", name, group(name).params))
    assert [one for one in found if one.state != PASSED] == []
    assert len(found) == 6


@pytest.mark.parametrize("name", ["elastic", "ultrasound", "strong"])
def test_every_group_repeats_and_depends_on_the_sample_alone(prepared, name):
    options = {"batch_size": 4, "channels_out": 2, "seed": 3, "augment": augment.make(group(name), 3)}

    def run(**more):
        found = pipeline.training_batches(prepared, **{**options, **more}).as_numpy_iterator()
        return list(itertools.islice(found, 4))

    first, again, other = run(), run(), run(augment=augment.make(group(name), 4))
    for (x, y), (x2, y2), (x3, _) in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)
        assert np.isfinite(x).all()
        assert not np.array_equal(x, x3)
    images, labels = prepared.images[:3], prepared.labels[:3]
    together, _ = changed(name, images, labels, epoch=7, index=[5, 2, 6])
    alone, _ = changed(name, images[1:2], labels[1:2], epoch=7, index=[2])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-6)
    later, _ = changed(name, images[1:2], labels[1:2], epoch=8, index=[2])
    assert np.abs(later - alone).max() > 0.01


def test_random_numbers_are_the_same_on_every_machine():
    found = augment.draw(1, 2, tf.constant([5, 6]), 3, (2,)).numpy()
    np.testing.assert_allclose(found, DRAWN, rtol=1e-6)


def test_bending_moves_image_and_mask_alike_and_keeps_the_classes():
    y, x = np.mgrid[:48, :40]
    labels = ((y // 12 + x // 10) % 3).astype(np.uint8) * np.array([1, 2, 3, 1], np.uint8)[:, None, None]
    images = np.eye(7, dtype=np.float32)[labels]
    still = OFF | {"elastic": 0.06}
    moved, marked = changed("elastic", images, labels, **still)
    assert (marked != labels).mean() > 0.05
    assert all(
        set(np.unique(after)) <= set(np.unique(before)) for after, before in zip(marked, labels, strict=True)
    )
    # Where the image is not a mixture of two classes it shows that of the mask.
    sure = moved.max(axis=-1) > 0.75
    assert sure.mean() > 0.6
    np.testing.assert_array_equal(moved.argmax(axis=-1)[sure], marked[sure])


def test_the_largest_bending_that_is_allowed_does_not_fold():
    nodes, size = 7, 64
    worst = np.where(np.indices((nodes, nodes)).sum(axis=0) % 2, 1.0, -1.0)[..., None].repeat(2, -1)
    bend = tf.constant(0.999 / (4 * (nodes - 3)) * worst[None], tf.float32)
    still = tuple(tf.constant([v]) for v in (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    rows, columns = (np.asarray(v[0]) for v in _moves._places(still, bend, size, size))
    (ry, rx), (cy, cx) = np.gradient(rows), np.gradient(columns)
    assert (ry * cx - rx * cy).min() > 0
    np.testing.assert_allclose(_moves.spline(33, 9).sum(axis=1), 1.0, rtol=1e-6)


def test_without_bending_the_elastic_group_is_affine():
    rng = np.random.default_rng(0)
    images, labels = rng.random((4, 32, 32, 1), np.float32), rng.integers(0, 2, (4, 32, 32), np.uint8)
    plain, _ = changed("affine", images, labels, epoch=2)
    also, _ = changed("elastic", images, labels, epoch=2, elastic=0.0)
    np.testing.assert_array_equal(plain, also)
    bent, _ = changed("elastic", images, labels, epoch=2, elastic=1e-6)
    # The same places, taken by our own interpolation, and the same mirror beyond the border.
    assert np.median(np.abs(bent - plain)) < 1e-3
    assert (np.abs(bent - plain) > 0.05).mean() < 0.01


def test_one_change_at_a_time_is_that_of_the_layer_of_keras():
    y, x = np.mgrid[:32, :32] / 32
    images = (np.sin(5 * x) + np.cos(7 * y + x))[None, ..., None].astype(np.float32)
    layers, inner = keras.layers, (slice(None), slice(6, -6), slice(6, -6))

    def ours(draw, limits):
        draws = np.zeros((1, 7), np.float32)
        draws[0, :3] = draw
        moved, _ = _moves.move(
            tf.constant(images), tf.zeros((1, 32, 32), tf.uint8), draws, **(STILL | limits)
        )
        return moved.numpy()[inner]

    def theirs(layer):
        return keras.ops.convert_to_numpy(layer(images, training=True))[inner]

    turned = theirs(layers.RandomRotation((0.05, 0.05), fill_mode="reflect"))
    np.testing.assert_allclose(ours((1, 1, 0), {"rotate": 18.0}), turned, atol=1e-4)
    zoomed = theirs(layers.RandomZoom((-0.2, -0.2), (-0.2, -0.2), fill_mode="reflect"))
    np.testing.assert_allclose(ours((1, 0, 1), {"scale": 0.25}), zoomed, atol=1e-4)
    mirrored = ours((-1, 0, 0), {"flip": 0.5})
    np.testing.assert_allclose(mirrored, images[:, :, ::-1][inner], atol=1e-5)


def test_depth_gain_shadow_and_speckle_do_what_they_say(prepared):
    flat, labels = np.full((8, 32, 32, 1), 0.5, np.float32), prepared.labels
    off = OFF | {"speckle": 0.0, "tgc": 0.0, "shadow": 0.0}
    found, marked = changed("ultrasound", flat, labels, **off)
    np.testing.assert_array_equal(found, flat)
    tgc, _ = changed("ultrasound", flat, labels, **{**off, "tgc": 0.4})
    np.testing.assert_allclose(tgc.std(axis=2), 0.0, atol=1e-6)
    assert 0.6 <= (tgc / flat).min() < 0.9 < 1.1 < (tgc / flat).max() <= 1.4
    shadow = {"shadow": 1.0, "shadow_width": 0.5, "shadow_strength": 0.8}
    dark, _ = changed("ultrasound", flat, labels, **{**off, **shadow})
    assert (np.diff(dark, axis=1) < 1e-6).all()  # darker and darker downwards
    assert ((dark[:, -1].min(axis=1) < 0.4) & (dark[:, -1].max(axis=1) == 0.5)).all()
    rare, _ = changed("ultrasound", flat, labels, **{**off, **shadow, "shadow": 0.0})
    np.testing.assert_array_equal(rare, flat)
    grainy, _ = changed("ultrasound", flat, labels, **{**off, "speckle": 0.3})
    factor = grainy / flat
    assert abs(factor.mean() - 1) < 0.02
    assert 0.05 < factor.std() < 0.3
    assert np.corrcoef(factor[:, :, 1:].ravel(), factor[:, :, :-1].ravel())[0, 1] > 0.4
    np.testing.assert_array_equal(marked, labels)


def test_a_region_of_the_image_before_it_comes_with_its_labels():
    marks = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 16, 20), np.uint8)
    images = 0.25 * marks[..., None].astype(np.float32)
    x, y = changed("strong", images, marks, **dict.fromkeys(group("strong").params, 0) | {"cutmix": 1.0})
    np.testing.assert_allclose(x, 0.25 * y[..., None], atol=2e-6)
    for number, label in enumerate(y):
        assert set(np.unique(label)) <= {number, (number - 1) % 4}
    inside = y != marks
    box = inside.any(axis=1)[:, None, :] & inside.any(axis=2)[:, :, None]
    np.testing.assert_array_equal(inside, box)
    assert 0.1 < inside.mean() < 0.6


QUIET = ("rotate", "scale", "noise", "blur", "brightness", "contrast", "low_resolution", "gamma",
         "gamma_inverted", "flip", "flip_vertical")  # fmt: skip
GREY = np.random.default_rng(3).random((6, 24, 20, 2), np.float32)
ZEROS = np.zeros(GREY.shape[:3], np.uint8)


def nnunet(images=GREY, labels=ZEROS, **changes):
    """With nothing but ``changes``, eagerly: compiling takes longer than all that is tested here."""
    change = augment.make(group("nnunet", **{**dict.fromkeys(QUIET, 0.0), "channel": 1.0, **changes}), 0)
    batch = tf.constant(images), tf.constant(labels), tf.constant(0), tf.range(len(images))
    return [part.numpy() for part in change(*batch)]


def test_each_change_of_nnunet_is_its_formula():
    np.testing.assert_array_equal(nnunet()[0], GREY)
    axes = {"axis": (1, 2), "keepdims": True}
    mean, low, high = GREY.mean(**axes), GREY.min(**axes), GREY.max(**axes)
    gains = nnunet(brightness=1.0)[0] / GREY
    assert np.ptp(gains, axis=(1, 2)).max() < 1e-5
    assert 0.75 <= gains.min() < 0.95 < 1.05 < gains.max() <= 1.25
    far = nnunet(contrast=1.0, contrasts=[1.2, 1.2])[0]
    np.testing.assert_allclose(far, np.clip(mean + 1.2 * (GREY - mean), low, high), atol=1e-6)
    for key in ("gamma", "gamma_inverted"):
        sign = 1 if key == "gamma" else -1
        bent = nnunet(**{key: 1.0, "exponents": [1.4, 1.4]})[0]
        for value in (bent.mean(**axes) - mean, bent.std(**axes) - GREY.std(**axes)):
            assert np.abs(value).max() < 1e-5
        power = ((sign * GREY - (sign * GREY).min(**axes)) / (high - low)) ** 1.4
        alike = np.corrcoef(power[0, ..., 0].ravel(), sign * bent[0, ..., 0].ravel())
        assert alike[0, 1] > 1 - 1e-5
    noise = nnunet(noise=1.0)[0] - GREY
    np.testing.assert_allclose(noise[..., 0], noise[..., 1], atol=1e-6)
    strength = noise.std(axis=(1, 2, 3)) / GREY.std(axis=(1, 2, 3))
    assert 0 < strength.min() < strength.max() < 0.11


def test_blur_and_low_resolution_of_nnunet():
    from scipy import ndimage

    smooth = nnunet(blur=1.0, sigmas=[0.8, 0.8])[0]
    known = ndimage.gaussian_filter(GREY, (0, 0.8, 0.8, 0), mode="reflect", radius=(0, 3, 3, 0))
    np.testing.assert_allclose(smooth, known, atol=1e-5)
    small = nnunet(low_resolution=1.0, resolutions=[0.5, 0.5])[0]
    coarse = tf.image.resize(GREY, (12, 10), "nearest")
    np.testing.assert_allclose(small, tf.image.resize(coarse, (24, 20)), atol=1e-5)
    half = nnunet(low_resolution=1.0, channel=0.5)[0]
    assert 0 < (half == GREY).all(axis=(1, 2)).sum() < 12


def test_geometry_of_nnunet_moves_image_and_mask_alike(prepared):
    images, labels = prepared.images, prepared.labels
    for change in ({"rotate": 1.0}, {"scale": 1.0}, {"flip": 0.5, "flip_vertical": 0.5}):
        moved, marked = nnunet(images, labels, **change)
        bright = moved[..., 0] > 0.5
        assert 2 * (bright & (marked > 0)).sum() / (bright.sum() + (marked > 0).sum()) > 0.9
        assert (marked != labels).any()
    areas = nnunet(images, labels, scale=1.0)[1].sum(axis=(1, 2)) / labels.sum(axis=(1, 2))
    assert areas.max() <= 1 / 0.6**2
    assert areas.min() >= 1 / 1.5**2
    wide = np.zeros((8, 16, 64, 1), np.float32)
    wide[:, :, 32:] = 1.0
    assert (
        nnunet(wide, wide[..., 0].astype(np.uint8), rotate=1.0)[0][:, 8, 44] > 0.99
    ).all()  # 15 degrees at most


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("augment.elastic=0.2", r"augment\.elastic is 0\.2, with 4 cells.* less than 0\.0625"),
        ("augment.elastic_cells=0", r"augment\.elastic_cells is 0: give a whole number from 1 to"),
        ("augment.speckle=2", r"unknown key 'augment\.speckle'"),
    ],
)
def test_a_bending_that_would_fold_and_other_wrong_keys(override, says):
    with pytest.raises(ConfigError, match=says):
        configs.compose(["augment=elastic", override])


# Pixels, mean and deviation of the images, and the sum of the labels, as they were when each augmentation was
# a branch of one function: runs of then are resumed with the same batches.
RECORDED = {
    "affine": ([0.547001, 0.48093, 0.770865, 0.47701, 0.213608], 1481, [0, 2, 0, 0, 2, 0]),
    "elastic": ([0.645609, 0.396467, 0.822345, 0.477723, 0.213818], 1479, [0, 2, 0, 0, 2, 0]),
    "ultrasound": ([0.545413, 0.460199, 0.911964, 0.476203, 0.233243], 1481, [0, 2, 0, 0, 2, 0]),
    "strong": ([0.348524, 0.290672, 0.567118, 0.464915, 0.263689], 1500, [0, 0, 0, 0, 2, 0]),
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_batches_of_earlier_runs_come_again(name):
    rng = np.random.default_rng(5)
    images = rng.random((3, 24, 20, 1), np.float32)
    labels = rng.integers(0, 3, (3, 24, 20)).astype(np.uint8)
    x, y = changed(name, images, labels, seed=3, epoch=7, index=[5, 2, 6])
    values, sum_of_labels, row = RECORDED[name]
    found = [x[0, 3, 4, 0], x[1, 12, 7, 0], x[2, 20, 15, 0], x.mean(dtype=float), x.std(dtype=float)]
    np.testing.assert_allclose(found, values, rtol=2e-5)
    assert int(y.sum()) == sum_of_labels
    assert y[1, 12, 5:11].tolist() == row


def test_a_group_of_an_earlier_commit_may_lack_a_key():
    """Its default is that of the function, which leaves everything as it is."""
    images = np.random.default_rng(0).random((2, 16, 16, 1), np.float32)
    x, _ = augment.make(Choice("strong", {"flip": 1.0}), 0)(
        tf.constant(images), tf.zeros((2, 16, 16), tf.uint8), tf.constant(0), tf.range(2)
    )
    np.testing.assert_allclose(x, images[:, :, ::-1], rtol=1e-5)


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
