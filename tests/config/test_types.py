from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval

from dmf_cli.config.types import check_value, check_values, unknown_key
from dmf_cli.errors import ConfigError
from dmf_cli.parameters import describe
from dmf_cli.ranges import Count, Part, Text

Device = Annotated[str, Text("cpu|gpu:N", r"cpu|gpu:\d+", "cpu or gpu:N")]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, int, True),
        (True, int, False),
        (1.0, int, False),
        (1, float, True),
        (False, float, False),
        (float("nan"), float, False),
        (float("inf"), float, False),
        ("1", float, False),
        ("x", str, True),
        (None, str, False),
        (None, int | None, True),
        (0, Count, False),
        (1, Count, True),
        (None, Count | None, True),
        (0.5, Part, True),
        (1.0, Part, False),
        (1.0, Annotated[float, Interval(le=1)], True),
        ("cpu", Device, True),
        ("gpu:x", Device, False),
        ("auto", bool | Literal["auto"], True),
        ("on", bool | Literal["auto"], False),
        (True, Literal[1, 2], False),
        ([1, 2.0], list[float], True),
        (["a"], list[float], False),
        ([0.1, 0.9], tuple[float, float], True),
        ([0.1], tuple[float, float], False),
        ([1, 2], Sequence[float] | None, True),
        ({"a": 1}, Mapping[str, Any], True),
        ([], dict, False),
        (print, Callable[..., Any], True),
    ],
)
def test_fits(value, hint, expected):
    assert _fits(value, hint) is expected


def _fits(value, hint):
    try:
        check_value(value, hint, "k")
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epohcs": 1}, "unknown key 't.epohcs': did you mean 'epochs'? (allowed: device, epochs)"),
        ({"device": "x"}, "t.device is 'x': give cpu or gpu:N"),
        ({"device": "cpu"}, "t.epochs is missing: give t.epochs=VALUE"),
    ],
)
def test_an_unknown_key_comes_first_then_a_wrong_value_then_a_missing_one(values, message):
    with pytest.raises(ConfigError) as caught:
        check_values(values, {"epochs": Count, "device": Device}, "t.", complete=True)
    assert str(caught.value) == message


def test_tuples_of_python_are_lists_too():
    check_value((1, 2), tuple[Count, Count], "k")


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        ("abc", Count, "k is 'abc': give a whole number of 1 or above"),
        (None, float, "k is null: give a number"),
        (True, int | None, "k is true: give a whole number, or null"),
        ("of", bool | Literal["auto"], "k is 'of': give true or false, or auto"),
        ("bacth", Literal["batch", "sample"], "k is 'bacth': did you mean 'batch'? (allowed: batch, sample)"),
        (3, Literal["batch", "sample"], "k is 3: give one of batch, sample"),
        ("gpu", Device, "k is 'gpu': give cpu or gpu:N"),
        ([1], tuple[int, int], "k is [1]: give a list of 2 values"),
        (
            [0, 1],
            tuple[Count, Count],
            "k is [0, 1]: give a list of 2 values, each a whole number of 1 or above",
        ),
        (3, dict | None, "k is 3: give a mapping, as {KEY: VALUE}, or null"),
    ],
)
def test_says_what_was_received_and_what_is_allowed(value, hint, message):
    with pytest.raises(ConfigError) as caught:
        check_value(value, hint, "k")
    assert str(caught.value) == message


def test_describes_both_bounds():
    assert describe(Annotated[int, Interval(ge=0, lt=8)]) == "a whole number of 0 or above and below 8"


def test_unknown_key_compares_siblings_only():
    """The shared prefix would make every sibling look close."""
    assert "did you mean" not in str(unknown_key("trainer.", "foo", ["monitor", "epochs"]))
    assert "did you mean 'epochs'" in str(unknown_key("trainer.", "epohcs", ["monitor", "epochs"]))
    assert str(unknown_key("auxiliary.params.", "x", [])).endswith("auxiliary.params has no keys")
