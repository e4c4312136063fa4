import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmf_cli.config import typed
from dmf_cli.datasets.input_spec import InputSpec, Reading, as_size, restore
from dmf_cli.errors import ConfigError, UnknownNameError
from tests.raised import raises

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, st.sampled_from(["stretch", "letterbox"]), st.sampled_from([1, 3]))
def test_any_size_goes_in_and_comes_back(original, size, resize, channels):
    image = np.full((*original, channels), 100, np.uint8)
    prepared, where = InputSpec(size, resize).image(image)
    assert prepared.shape == (*size, channels)
    assert prepared.dtype == np.float32
    back = restore(prepared, where)
    assert back.shape == image.shape
    np.testing.assert_allclose(back, 100 / 255, rtol=1e-5)


def test_letterbox_keeps_the_aspect_ratio_and_pads_with_background():
    image, label = np.full((10, 20, 1), 255, np.uint8), np.ones((10, 20), np.uint8)
    prepared, where = InputSpec((16, 16), "letterbox").image(image)
    assert where.box == (4, 0, 8, 16)
    assert prepared.sum() == pytest.approx(8 * 16)
    assert InputSpec((16, 16), "letterbox").label(label).sum() == 8 * 16


def test_labels_are_never_mixed():
    label = np.array([[0, 2], [2, 0]], np.uint8)
    assert set(np.unique(InputSpec((7, 9)).label(label))) == {0, 2}


def test_a_mask_survives_the_way_there_and_back():
    y, x = np.mgrid[:90, :120]
    label = ((y - 40) ** 2 + (x - 70) ** 2 < 400).astype(np.uint8)
    spec = InputSpec((64, 64))
    small, where = spec.label(label), spec.geometry(label.shape)
    back = restore(small[..., None].astype(np.float32), where)[..., 0] >= 0.5
    assert 2 * (back & (label > 0)).sum() / (back.sum() + label.sum()) > 0.97


def test_normalisations():
    image = np.array([[10, 20], [30, 50]], np.uint8)[..., None]
    scaled = {n: InputSpec((2, 2), normalize=n).image(image)[0] for n in ("unit", "minmax", "zscore")}
    assert scaled["unit"].max() == pytest.approx(50 / 255)
    assert (scaled["minmax"].min(), scaled["minmax"].max()) == (0.0, 1.0)
    assert (scaled["zscore"].mean(), scaled["zscore"].std()) == pytest.approx((0.0, 1.0), abs=1e-6)


@pytest.mark.parametrize("normalize", ["unit", "minmax", "zscore"])
def test_a_constant_image_stays_finite(normalize):
    made, _ = InputSpec((4, 4), normalize=normalize).image(np.full((4, 4, 1), 9, np.uint8))
    assert np.isfinite(made).all()


def test_unknown_policies_are_told():
    with raises(UnknownNameError, key="dataset.resize"):
        InputSpec((4, 4), resize="strech")
    with raises(UnknownNameError, key="dataset.normalize"):
        InputSpec((4, 4), normalize="z-score")


def test_sizes_are_one_side_or_two():
    assert as_size(96) == (96, 96)
    assert as_size([96, 128]) == (96, 128)
    for wrong in (0, -4, 16.5, True, "128", [16], [16, 0], [16, 16, 16], None):
        with pytest.raises(ConfigError, match=r"image_size is .*: give one side in pixels"):
            as_size(wrong)


def test_one_spec_holds_all_that_the_config_says_of_inputs():
    group = {"name": "a", "kind": "folder", "dir": "a", "images": "*.png", "masks": "{stem}_m.png"}
    group |= {"image_size": [96, 128], "resize": "letterbox", "normalize": "zscore"}
    more = {"channels": 3, "range": [0, 4095], "max_pixels": 10_000}
    spec = InputSpec.of(typed.dataset({**group, **more}))
    assert spec == InputSpec((96, 128), "letterbox", "zscore", 3, Reading([0, 4095], 10_000))
    earlier = InputSpec.of(typed.dataset(group))  # of an old run, whose config has fewer keys
    assert earlier == InputSpec((96, 128), "letterbox", "zscore", 1, Reading())
