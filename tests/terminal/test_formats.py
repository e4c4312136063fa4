"""One way to write a number, a duration, an interval."""

import math

import pytest

from dmf_cli.terminal import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.81234, "0.8123"),
        (0.0, "0.0000"),
        (1.2e-5, "1.2e-05"),
        (123456.0, "1.2e+05"),
        (None, "-"),
        (math.nan, "nan"),
    ],
)
def test_numbers_stay_short(value, text):
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (59.6, "1:00 min"),
        (187, "3:07 min"),
        (7500, "2:05 h"),
        (None, "?"),
        (math.inf, "?"),
    ],
)
def test_durations_have_their_unit(seconds, text):
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.81234, "0.812"), (12.346, "12.35"), (723.46, "723.5"), (-0.0004, "-0.000"), (math.nan, "-")],
)
def test_scores_have_fewer_decimals_where_they_are_large(value, text):
    assert formats.score(value) == text


def test_a_difference_shows_its_sign():
    assert formats.score(0.0312, "+") == "+0.031"
    assert formats.between(-0.0312, 0.2, "+") == "[-0.031, +0.200]"


def test_what_is_not_known_is_a_dash():
    assert formats.between(math.nan, math.nan) == "-"
    assert formats.spread(0.5, math.nan) == "0.500"
    assert formats.spread(0.5, 0.01) == "0.500 ± 0.010"
    assert formats.percent(1, 0) == "-"


def test_shares_counts_and_p_values():
    assert (formats.percent(1, 8), formats.percent(0.125, how=".3g")) == ("12.5 %", "12.5 %")
    assert [formats.count(n, "epoch") for n in (1, 0, 1200)] == ["1 epoch", "0 epochs", "1,200 epochs"]
    assert formats.count(1200) == "1,200"
    assert [formats.p_value(p) for p in (0.0312, 0.0004)] == ["0.031", "<0.001"]


@pytest.mark.parametrize(
    ("size", "text"), [(0.0144, "0.014"), (1.36, "1.4"), (120.0, "120"), (0.00001, "0.00001")]
)
def test_sizes_have_two_digits_that_count(size, text):
    assert formats.significant(size) == text
