import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmf_cli import expression
from dmf_cli.errors import ConfigError, UnknownNameError

KNOWN = ["bce", "cbdice", "ce", "dice", "e", "iou"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dice", {"dice": 1.0}),
        ("cbdice+bce", {"cbdice": 1.0, "bce": 1.0}),
        ("ce+e+iou", {"ce": 1.0, "e": 1.0, "iou": 1.0}),
        ("dice:0.7+bce:0.3", {"dice": 0.7, "bce": 0.3}),
        ("0.7*dice+0.3*bce", {"dice": 0.7, "bce": 0.3}),
        ("dice*2+bce", {"dice": 2.0, "bce": 1.0}),
        ("  0.7 * dice +\tbce : .3 ", {"dice": 0.7, "bce": 0.3}),
        ("1e-3*dice+bce", {"dice": 1e-3, "bce": 1.0}),
        ("dice:1e+2+bce", {"dice": 100.0, "bce": 1.0}),
        ("dice:1E2+2.*bce", {"dice": 100.0, "bce": 2.0}),
        ("bce+2*dice+3*ce", {"bce": 1.0, "dice": 2.0, "ce": 3.0}),
        ("+2*dice", {"dice": 2.0}),
    ],
)
def test_reads(text, expected):
    parsed = expression.parse(text, KNOWN)
    assert dict(parsed.coefficients) == expected
    assert parsed.terms == tuple(expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("dice+", "missing beside a +"),
        ("dice++bce", "missing beside a +"),
        ("dice+dice", "twice"),
        ("0.5*dice+0.5*dice", "twice"),
        ("0*dice", "above 0"),
        ("-1*dice", "above 0"),
        ("dice:-0.5", "above 0"),
        ("nan*dice", "above 0"),
        ("dice:inf", "above 0"),
        ("1e999*dice", "above 0"),
        ("dice-bce", "'-bce'"),
        ("0.7", "'0.7' is not a term"),
        ("0.5*0.5*dice", "is not a term"),
        ("dice bce", "is not a term"),
        ("dice:0.5:bce", "is not a term"),
        ("dice:1e+bce", "'dice:1e' is not a term"),
        ("0.5*(dice+bce)", "'(dice+bce)'"),
        ("dice;import os", "';import os'"),
    ],
)
def test_refuses_in_one_line(text, says):
    with pytest.raises(ConfigError) as caught:
        expression.parse(text, KNOWN)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_the_closest_term():
    with pytest.raises(UnknownNameError, match=r"'dcie'.*did you mean 'dice'"):
        expression.parse("bce+dcie", KNOWN)


coefficients = st.floats(min_value=1e-300, max_value=1e300, allow_nan=False)


@given(st.dictionaries(st.sampled_from(KNOWN), coefficients, min_size=1))
def test_canonical_form_reads_back_exactly(terms):
    built = expression.build(terms)
    again = expression.parse(str(built), KNOWN)
    assert list(again.coefficients.items()) == list(terms.items())
    assert str(again) == str(built)


def test_canonical_form_is_short():
    assert str(expression.parse("1.0*dice + 0.30*bce + 2*ce", KNOWN)) == "dice+bce:0.3+ce:2"


@given(st.text(alphabet="dice+*:.0123e- ", max_size=12))
def test_any_text_parses_or_is_refused(text):
    try:
        parsed = expression.parse(text, KNOWN)
    except ConfigError:
        return
    assert all(math.isfinite(value) and value > 0 for value in parsed.coefficients.values())


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "a", True, None])
def test_build_refuses_what_no_loss_can_be_multiplied_with(value):
    with pytest.raises(ConfigError, match=r"loss\.coefficients\.dice"):
        expression.build({"dice": value})
