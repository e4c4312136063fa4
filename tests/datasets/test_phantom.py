import numpy as np
import pytest
from scipy import ndimage

from dmf_cli.datasets import phantom
from dmf_cli.datasets.phantom import generate, speckle
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
    for stratum, share in zip(phantom.STRATA, phantom.SHARES, strict=True):
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
    ],
)
def test_wrong_settings_are_told(wrong, text):
    with pytest.raises(ConfigError, match=text):
        generate(0, **wrong)
