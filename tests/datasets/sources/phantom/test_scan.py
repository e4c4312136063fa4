import numpy as np
import pytest
from scipy import ndimage

from dmf_cli.datasets.sources.phantom import scan
from dmf_cli.datasets.sources.phantom.scan import generate, speckle
from dmf_cli.errors import ConfigError


def test_speckle_is_fully_developed():
    """The envelope of many scatterers is Rayleigh distributed: mean / deviation = 1.91."""
    envelope = np.concatenate([speckle(np.random.default_rng(i), 256).ravel() for i in range(20)])
    assert envelope.mean() / envelope.std() == pytest.approx(1.91, abs=0.05)
    quantiles = np.quantile(envelope, [0.1, 0.5, 0.9])  # of a Rayleigh law with mean square 1
    np.testing.assert_allclose(quantiles, np.sqrt(-np.log([0.9, 0.5, 0.1])), rtol=0.03)


def test_speckle_is_shorter_along_the_beam_than_across():
    intensity = speckle(np.random.default_rng(1), 512) ** 2
    intensity -= intensity.mean()
    axial, lateral = (np.mean(intensity * np.roll(intensity, 3, axis)) for axis in (0, 1))
    assert axial < 0.7 * lateral


def otsu(image):
    counts = np.bincount(image.astype(int).ravel(), minlength=256).astype(float)
    weight, moment = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    with np.errstate(all="ignore"):
        between = (moment[-1] * weight / weight[-1] - moment) ** 2 / (weight * (weight[-1] - weight))
    return np.nanargmax(between)


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_smoothing_and_a_threshold_do_not_find_the_lesions(difficulty):
    scores = []
    for index in range(60):
        made = generate(index, difficulty=difficulty)
        if made.label.any():
            smooth = ndimage.gaussian_filter(made.image[..., 0].astype(float), 3)
            parts, n = ndimage.label(smooth < otsu(smooth))
            # even when an oracle picks the connected part that fits best
            sizes = [(parts == k) for k in range(1, n + 1)]
            fits = [2 * (p & (made.label > 0)).sum() / (p.sum() + made.label.sum()) for p in sizes]
            scores.append(max(fits, default=0.0))
    assert np.mean(scores) < 0.6


def test_difficulty_lowers_the_contrast_of_lesions():
    def contrast(difficulty):
        found = []
        for index in range(60):
            made = generate(index, difficulty=difficulty)
            inside = made.label > 0
            if inside.any():
                ring = ndimage.binary_dilation(inside, iterations=6) & ~inside
                found.append(made.image[ring].mean() - made.image[inside].mean())
        return np.mean(found)

    assert contrast("easy") > contrast("medium") > contrast("hard") > 0


def test_an_image_depends_on_seed_and_index_alone():
    first, again = generate(7, seed=1), generate(7, seed=1)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.label, again.label)
    assert not np.array_equal(first.image, generate(8, seed=1).image)
    assert not np.array_equal(first.image, generate(7, seed=2).image)


def test_the_size_changes_the_sampling_and_not_the_anatomy():
    for index in range(12):
        small, large = generate(index, size=64), generate(index, size=256)
        assert small.stratum == large.stratum
        assert small.label.mean() == pytest.approx(large.label.mean(), abs=0.005)


def test_strata_come_in_their_shares_and_only_lesions_have_a_mask():
    made = [generate(index, size=32) for index in range(300)]
    for stratum, share in zip(scan.STRATA, scan.SHARES, strict=True):
        assert np.mean([m.stratum == stratum for m in made]) == pytest.approx(share, abs=0.07)
    assert all(m.label.any() == (m.stratum != "normal") for m in made)
    assert all(m.image.shape == (32, 32, 1) and m.image.dtype == m.label.dtype == np.uint8 for m in made)


def test_a_lesion_is_where_the_mask_says():
    """Noise and shadows apart, the backscatter drops by several dB within a pixel or two of the border."""
    inside, outside = [], []
    for index in range(80):
        made = generate(index, size=256, difficulty=0.0)
        label = made.label > 0
        if made.stratum == "benign":
            decibel = 20 * np.log10(made.amplitude + 1e-6)
            inside.append(decibel[label & ~ndimage.binary_erosion(label, iterations=5)].mean())
            outside.append(decibel[ndimage.binary_dilation(label, iterations=8) & ~label].mean())
    assert np.mean(outside) - np.mean(inside) > 4


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"size": 8}, r"dataset\.size is 8"),
        ({"difficulty": "easier"}, "easy, medium or hard"),
        ({"difficulty": 1.5}, "0 to 1"),
        ({"task": "typ"}, "did you mean 'type'"),
        (
            {"lesion_area": 0.3},
            r"dataset\.lesion_area is 0\.3: give a share of the pixels from 0\.002 to 0\.2",
        ),
        ({"lesion_area": "much"}, "give a share of the pixels"),
    ],
)
def test_wrong_settings_are_told(wrong, text):
    with pytest.raises(ConfigError, match=text):
        generate(0, **wrong)


# Measured when the options `task` and `lesion_area` were not there yet.
DEFAULTS = {
    "strata": ["normal", "benign", "malignant", "malignant", "malignant", "benign"],
    "pixels": [0, 305, 182, 249, 133, 129],
    "grey": [119.262, 109.801, 90.003, 129.116, 118.114, 100.502],
}


def test_the_default_images_stay_what_results_were_made_with():
    """Options may be added, draws may not be: a changed draw changes every number after it."""
    made = [generate(index, size=64) for index in range(6)]
    assert [m.stratum for m in made] == DEFAULTS["strata"]
    np.testing.assert_allclose([m.label.sum() for m in made], DEFAULTS["pixels"], atol=2)
    np.testing.assert_allclose([m.image.mean() for m in made], DEFAULTS["grey"], atol=0.02)


def bounds(label):
    rows, columns = np.nonzero(label)
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def below_and_beside(made):
    """Mean grey below the lesion, and at the same depth beside it."""
    rows, columns = np.nonzero(made.label)
    depth = slice(rows.max() + 4, rows.max() + 16)
    under = np.zeros(made.image.shape[1], bool)
    under[int(np.quantile(columns, 0.25)) : int(np.quantile(columns, 0.75)) + 1] = True
    aside = np.ones_like(under)
    aside[max(0, columns.min() - 4) : columns.max() + 5] = False
    strip = made.image[depth, :, 0]
    return strip[:, under].mean(), strip[:, aside].mean()


def test_types_are_two_classes_with_the_signs_of_their_kind():
    made = [generate(index, size=96, task="type") for index in range(60)]
    benign = [m for m in made if m.stratum == "benign"]
    malignant = [m for m in made if m.stratum == "malignant"]
    assert {int(m.label.max()) for m in benign} == {1}
    assert {int(m.label.max()) for m in malignant} == {2}
    assert {1} not in [set(np.unique(m.label)) for m in malignant]
    high, wide = np.array([bounds(m.label) for m in benign]).T
    assert np.mean(high < wide) == 1
    high, wide = np.array([bounds(m.label) for m in malignant]).T
    assert np.mean(high > wide) > 0.8  # slightly turned ones may be as wide
    inside = [m for m in made if m.label.any() and np.nonzero(m.label)[0].max() < 76]
    brighter = {m.stratum: [] for m in inside}
    for m in inside:
        under, aside = below_and_beside(m)
        brighter[m.stratum].append(under - aside)
    assert np.mean(brighter["benign"]) > 10
    assert np.mean(brighter["malignant"]) < -10


@pytest.mark.parametrize("area", [0.002, 0.02, 0.2])
def test_the_imbalance_is_what_the_dial_says(area):
    shares = np.array([(generate(i, size=64, lesion_area=area).label > 0).mean() for i in range(60)])
    shares = shares[shares > 0]
    assert shares.mean() == pytest.approx(area, rel=0.15)  # of 50 lesions, each 0.5 to 1.5 of it
    assert shares.min() > 0.4 * area
    assert shares.max() < 1.75 * area


def test_the_dial_means_the_same_at_every_size():
    def shares(size):
        return [generate(i, size=size, lesion_area=0.05).label.mean() for i in range(12)]

    np.testing.assert_allclose(shares(48), shares(128), atol=0.003)
