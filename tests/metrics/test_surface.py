"""Surface distances: the peers' figures, a plain restatement, and every kind of empty mask."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import distance_transform_edt

from dmf_cli import metrics
from dmf_cli.errors import ConfigError, DatasetError
from tests.raised import raises

NAN = math.nan


def mask(rows=slice(0), columns=slice(0), shape=(8, 8)):
    found = np.zeros(shape, bool)
    found[rows, columns] = True
    return found


LESION, SHIFTED, EMPTY = mask(slice(2, 5), slice(2, 5)), mask(slice(3, 6), slice(2, 5)), mask()
# surface-distance (1f805ce), 8 x 8 pixels, tolerance 1. It gives two directed averages, 1.108 and 1.0 for the
# single pixel: the lengths of the contours, 8 + 4 / sqrt(2) and 4 / sqrt(2), weigh them. MetricsReloaded
# (cb38dfc) and MONAI (d388d1c) measure between pixels, not contours: of theirs the shifted square and the
# perfect match are the same, and the missed lesion (NaN) by `missed="nan"`; the rest is in
# docs/reference/metrics.md.
SINGLE = (1.1081941875543877 * (8 + math.sqrt(8)) + 1.0 * math.sqrt(8)) / (8 + 2 * math.sqrt(8))
PEERS = {
    "shifted": (LESION, SHIFTED, {"hd95": 1.0, "assd": 0.5, "nsd": 1.0}),
    "perfect": (LESION, LESION, {"hd95": 0.0, "assd": 0.0, "nsd": 1.0}),
    "single pixel": (
        LESION,
        mask(3, 3),
        {"hd95": 1.4142135623730951, "assd": SINGLE, "nsd": 0.7928932188134524},
    ),
    "both empty": (EMPTY, EMPTY, {"hd95": NAN, "assd": NAN, "nsd": NAN}),
}


@pytest.mark.parametrize(("truth", "prediction", "expected"), PEERS.values(), ids=PEERS)
def test_figures_of_the_peers(truth, prediction, expected):
    found = metrics.surfaces(truth, prediction, tolerance=1.0)
    assert found == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("pair", [(LESION, EMPTY), (EMPTY, LESION)], ids=["missed", "false alarm"])
def test_a_missed_lesion_and_a_false_alarm_count_by_the_rule(pair):
    diagonal = math.hypot(8, 8)
    assert metrics.surfaces(*pair) == {"hd95": diagonal, "assd": diagonal, "nsd": 0.0}
    millimetres = math.hypot(8 * 0.5, 8 * 0.25)
    assert metrics.hd95(*pair, spacing=(0.5, 0.25)) == pytest.approx(millimetres)
    found = metrics.surfaces(*pair, missed="nan")
    assert all(math.isnan(value) for value in found.values())


def test_two_empty_masks_follow_the_other_rule():
    assert metrics.nsd(EMPTY, EMPTY, empty=1.0) == 1.0
    assert math.isnan(metrics.assd(EMPTY, EMPTY, missed="diagonal"))


def test_distances_are_in_the_unit_of_the_spacing():
    square, far = mask(slice(2, 4), slice(2, 4), (20, 30)), mask(slice(12, 14), slice(2, 4), (20, 30))
    wide = mask(slice(2, 4), slice(12, 14), (20, 30))
    assert metrics.hd95(square, far) == metrics.hd95(square, wide) == 10.0
    assert metrics.hd95(square, far, spacing=(0.1, 0.3)) == pytest.approx(1.0)
    assert metrics.hd95(square, wide, spacing=(0.1, 0.3)) == pytest.approx(3.0)
    assert metrics.nsd(square, wide, tolerance=10.0) == 1.0
    assert metrics.nsd(square, wide, tolerance=3.1, spacing=(0.1, 0.3)) == 1.0
    assert metrics.nsd(square, wide, tolerance=2.0, spacing=(0.1, 0.3)) == 0.0


def test_volumes_too():
    first, second = np.zeros((2, 6, 6, 6), bool)
    first[1:3, 1:4, 1:4] = second[2:4, 1:4, 1:4] = True
    assert metrics.hd95(first, second) == 1.0
    assert metrics.assd(first, EMPTY_VOLUME, spacing=(2, 1, 1)) == pytest.approx(math.hypot(12, 6, 6))


EMPTY_VOLUME = np.zeros((6, 6, 6), bool)
PAIRS = st.tuples(arrays.arrays(bool, (7, 9)), arrays.arrays(bool, (7, 9)))


def corners(found):
    """Corners of pixels that the contour of a mask runs through, and its distance map."""
    around = np.pad(found, 1)
    count = sum(around[i : i + 8, j : j + 10].astype(int) for i in (0, 1) for j in (0, 1))
    border = (count > 0) & (count < 4)
    return border, distance_transform_edt(~border)


@given(PAIRS)
def test_any_masks(pair):
    there, back = metrics.surfaces(*pair), metrics.surfaces(*pair[::-1])
    assert there == pytest.approx(back, nan_ok=True)
    if not pair[0].any() or not pair[1].any():
        return
    (mine, to_mine), (other, to_other) = map(corners, pair)
    largest = max(to_other[mine].max(), to_mine[other].max())
    assert 0 <= there["assd"] <= largest + 1e-9
    assert there["hd95"] <= largest + 1e-9
    assert 0 <= there["nsd"] <= 1 + 1e-12
    assert metrics.nsd(*pair, tolerance=largest) == pytest.approx(1.0)


def test_what_cannot_be_measured_is_said():
    with raises(DatasetError, key="truth", allowed="masks of one size"):
        metrics.hd95(LESION, mask(shape=(8, 9)))
    with raises(DatasetError, key="truth", allowed="(H, W)"):
        metrics.hd95(np.ones(4), np.ones(4))
    with raises(ConfigError, key="metrics.missed", value="diagnal"):
        metrics.hd95(LESION, LESION, missed="diagnal")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("missed", "zero"),
        ("tolerance", -1.0),
        ("tolerance_mm", -1.0),
        ("bins", 0),
        ("connectivity", 3),
        ("overlap", 1.0),
    ],
)
def test_options_out_of_range(name, value):
    of_functions = {
        "bins": lambda: metrics.reliability(LESION, LESION, bins=value),
        "connectivity": lambda: metrics.lesions(LESION, LESION, connectivity=value),
        "overlap": lambda: metrics.lesion_confusion(LESION, LESION, 2, overlap=value),
        "tolerance": lambda: metrics.nsd(LESION, LESION, tolerance=value),
    }
    for make in (lambda: metrics.Full(**{name: value}), of_functions.get(name)):
        if make is not None:
            with raises(ConfigError, key=f"metrics.{name}", value=value):
                make()


def test_the_rules_are_said_in_words():
    words = "; ".join(metrics.Full(tolerance=3).rules(millimetres=True))
    assert "missed=diagonal: distances count the image's diagonal and NSD 0" in words
    assert "within 3 px, 1 mm" in words
    words = "; ".join(metrics.Full(missed="nan", connectivity=1, overlap=0.5).rules(millimetres=False))
    assert "missed=nan: distances and NSD are excluded from the mean" in words
    assert "mm" not in words
    assert "components by sides, found if more than 50 % of the pixels are covered" in words
