"""Values against annotations without pydantic: what fits, and the words of what does not."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

from dmf_cli import parameters
from dmf_cli.errors import ConfigError
from dmf_cli.ranges import ClassWeights, Count, Fraction, Positive, Share
from tests.raised import raises


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (Count, [1, np.int64(5)], [0, 1.0, True, "1", None]),
        (Positive, [1, 1e-9, np.float32(2)], [0, -1.0, math.inf, math.nan, True, "1", None]),
        (Share, [0, 1], [-0.1, 1.1]),
        (Fraction | None, [0.0, None], [1.0, "x"]),
        (Literal["a", "b"], ["a"], ["c", None]),
        (ClassWeights, [[1, 2.0], np.ones(2), (0,), None], [[1, -1], [math.nan], "12", 3]),
        (float | Sequence[float], [1.5, [1, 2]], ["1", ["1"]]),
        (bool, [True], [1, None]),
        (Any, [object(), None], []),
    ],
)
def test_what_fits(hint: Any, good: list, bad: list) -> None:
    assert [value for value in good if not parameters.fits(value, hint)] == []
    assert [value for value in bad if parameters.fits(value, hint)] == []


def test_the_first_value_that_does_not_fit_is_named() -> None:
    def loss(y: Any, *, smooth: Positive = 1.0, pool: Literal["batch", "sample"] = "batch") -> None: ...

    parameters.check(loss, {"smooth": 2, "pool": "sample", "other": -1})
    with raises(ConfigError, key="here.smooth", value=0, allowed="a number above 0"):
        parameters.check(loss, {"smooth": 0, "pool": "x"}, "here.")
    with raises(ConfigError, key="pool", value="smaple") as caught:
        parameters.check(loss, {"pool": "smaple"})
    assert str(caught.value) == "pool is 'smaple': did you mean 'sample'? (allowed: batch, sample)"
