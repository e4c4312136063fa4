"""Metrics of users in a comparison, which reads tables and imports no plugin."""

import numpy as np
import pytest

from dmf_cli.comparison import notes, plots
from dmf_cli.comparison.compare import compare
from dmf_cli.errors import ConfigError

ERRORS = np.linspace(2.0, 8.0, 12)


def scored(better, **params):
    return {"own_metrics": {"mine": {"better": better, "params": params}}}


@pytest.mark.parametrize(("better", "best"), [("low", "fixed"), ("high", "var")])
def test_its_direction_is_that_of_the_summary(finished, better, best):
    for seed in range(3):
        finished(
            f"a{seed}", ERRORS + 0.01 * seed, "fixed", seed, metric="foreground.mine", scored=scored(better)
        )
        last = finished(
            f"b{seed}", ERRORS + 1 + 0.02 * seed, "var", seed, metric="foreground.mine", scored=scored(better)
        )
    compared = compare([last.parent], metric="mine")
    assert compared.metric == "foreground.mine"
    assert compared.lower == (better == "low")
    assert compared.rows[0].group.name == f"weighting={best}"
    assert compared.rows[0].wins == 3
    assert ("less is better" in notes.title(compared)) == (better == "low")
    assert "to find" not in compared.power  # nobody knows which difference is a usual one
    panel = plots.forest(compared).panels[0]
    assert ("left is better" in panel.x.label) == (better == "low")


def test_undefined_is_never_0(finished):
    undefined = np.where(np.arange(12) == 3, np.nan, ERRORS)
    for seed in range(2):
        finished(f"a{seed}", undefined, "fixed", seed, metric="foreground.mine", scored=scored("low"))
        last = finished(f"b{seed}", ERRORS, "var", seed, metric="foreground.mine", scored=scored("low"))
    compared = compare([last.parent], metric="foreground.mine")
    assert "image 003" not in compared.images
    assert len(compared.images) == 11
    kept = np.delete(ERRORS, 3).mean()
    assert [row.mean.mean for row in compared.rows] == pytest.approx([kept, kept])


def test_other_parameters_are_another_metric(finished):
    for seed in range(2):
        for name, tolerance in (("a", 1), ("b", 2)):
            last = finished(
                f"{name}{seed}", ERRORS, "fixed", 10 * tolerance + seed, metric="foreground.mine",
                scored=scored("low", tolerance=tolerance),
            )  # fmt: skip
    with pytest.raises(ConfigError, match=r"mine with tolerance=1.*mine with tolerance=2"):
        compare([last.parent], metric="foreground.mine")
