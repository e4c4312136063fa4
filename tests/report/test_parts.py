"""What pages are made of: pictures, differences from the defaults, thinned series and cells."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dmf_cli.figures import bokeh_renderer
from dmf_cli.report import pictures
from dmf_cli.report.differences import differences
from dmf_cli.report.table import cell, sortable
from dmf_cli.run_folder import cases


def test_the_slider_starts_where_both_masks_are_seen():
    def mask(first, last):
        columns = np.arange(100)
        return np.tile((columns >= first) & (columns < last), (4, 1)).astype(np.uint8)

    nothing = mask(0, 0)
    assert pictures.start(mask(20, 40), mask(20, 40)) == 30
    assert pictures.start(mask(0, 10), mask(80, 90)) == 50
    assert pictures.start(mask(70, 80), nothing) == 80  # missed: all of it on the left
    assert pictures.start(nothing, mask(20, 30)) == 20  # a false alarm: all of it on the right
    assert pictures.start(nothing, nothing) == 50


@pytest.mark.parametrize(("classes", "channels"), [(1, 1), (3, 3)])
def test_masks_are_thin_and_keep_their_borders(classes, channels):
    image = np.full((40, 900, 3), 7, np.uint8)[..., :channels].squeeze()
    truth = np.zeros((40, 900), np.uint8)
    truth[10:30, 100:400] = classes
    case = cases.Example("a", "worst", 0.5, image, truth, np.zeros_like(truth))
    (made,) = pictures.pictures([case], [{"id": "a", "outcome": "no_overlap", "lesion_pixels": "6000"}])
    assert (made.title, made.facts) == ("no overlap", "Dice 0.500, truth 6,000 px")
    assert (made.height, made.width) == (14, 300)
    opened = [
        Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in (made.image, made.truth)
    ]
    assert [one.size for one in opened] == [(300, 14)] * 2
    opacity = np.asarray(opened[1].convert("RGBA"))[..., 3]
    assert set(np.unique(opacity)) == {0, 70, 255}  # outside, inside, border
    assert (opacity > 0).sum() == (truth[::3, ::3] > 0).sum()


def test_settings_are_those_that_differ_from_the_option_that_was_chosen(composed):
    found = {d.key: (d.value, d.default) for d in differences(composed["fixed"].plain)}
    assert found == {
        "weighting": ("fixed", "var"),
        "dataset.image_size": ("32", "128"),
        "loss.terms.cbdice.absent": ("max", "zero"),
        "trainer.epochs": ("4", "auto"),
    }
    assert differences({"loss": {"expression": "gone+bce"}, "weighting": {"name": "gone"}}) is None


@pytest.mark.parametrize("terms", [1, 3])
def test_a_long_record_is_thinned_and_keeps_its_spikes(terms):
    rng = np.random.default_rng(0)
    series = [rng.random(100_000) for _ in range(terms)]
    series[0][54_321], series[-1][777] = 100.0, -50.0
    series[0][90_000:90_010] = np.nan
    kept = bokeh_renderer.thin(series, 100_000)
    assert len(kept) < 2 * bokeh_renderer.ROWS
    assert {0, 777, 54_321, 90_000, 99_999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    assert bokeh_renderer.thin(series, 100_000).tolist() == kept.tolist()
    assert bokeh_renderer.thin([s[:1500] for s in series], 1500).tolist() == list(range(1500))


def test_cells_are_written_and_sorted_as_numbers():
    texts = [cell(v).text for v in (0.12345, 12.345, 1234, 2e-5, float("nan"), None, "x", True, 0.0)]
    assert texts == ["0.123", "12.35", "1,234", "2.0e-05", "-", "-", "x", "True", "0.000"]
    said = ("0.812 ± 0.101", "12,345", "<0.001", "62.5 %", "-", "baseline", "[0.1, 0.2]")
    assert [sortable(text).sort for text in said] == [
        0.812,
        12345,
        0.001,
        62.5,
        None,
        "baseline",
        "[0.1, 0.2]",
    ]
