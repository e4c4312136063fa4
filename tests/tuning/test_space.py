"""What is searched, and how it is said to Hydra."""

import math

import pytest

from dmf_cli.errors import ConfigError
from dmf_cli.tuning import space
from dmf_cli.tuning.space import Dimension, Space


class Fixed:
    """A trial that answers with the upper end."""

    def suggest_float(self, key, low, high, **_):
        return high

    def suggest_int(self, key, low, high, **_):
        return high

    def suggest_categorical(self, key, choices):
        return choices[-1]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a.b=interval(0.1,0.9)", Dimension("a.b", "float", 0.1, 0.9)),
        ("a=interval(1,9)", Dimension("a", "float", 1.0, 9.0)),
        ("a=int(interval(1,9))", Dimension("a", "int", 1.0, 9.0)),
        ("a=tag(log,interval(1e-4,1e-2))", Dimension("a", "float", 1e-4, 1e-2, log=True)),
        ("a=range(1,10)", Dimension("a", "int", 1.0, 9.0, 1.0)),
        ("a=range(50,301,50)", Dimension("a", "int", 50.0, 300.0, 50.0)),
        ("a=range(0.1,0.5,0.1)", Dimension("a", "float", 0.1, 0.1 + 3 * 0.1, 0.1)),
        ("a=choice(x,y)", Dimension("a", "choice", choices=("x", "y"))),
        ("loss=dice:0.7+bce:0.3,ce", Dimension("loss", "choice", choices=("dice:0.7+bce:0.3", "ce"))),
        ("a=1,2,null", Dimension("a", "choice", choices=("1", "2", "null"))),
        ("a='x y','p,q'", Dimension("a", "choice", choices=("'x y'", "'p,q'"))),
    ],
    ids=str,
)
def test_hydras_sweeps_are_dimensions(word, expected):
    assert space.parse([word, "seed=3"]) == ([expected], ["seed=3"])


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("a=interval(9,1)", "holds no two values"),
        ("a=range(1,2)", "holds no two values"),
        ("a=range(1,9,-1)", "give a step above 0"),
        ("a=tag(log,interval(0,1))", "has a log scale and a value of 0 or below: give"),
        ("a=tag(log,range(2,9,2))", "has no log scale"),
        ("a=tag(often,interval(1,2))", "unknown tag often"),
        ("a=glob(*)", "write interval"),
        ("a=log(1,2)", "a=log"),
        ("interval(1,2)", "interval"),
    ],
    ids=str,
)
def test_wrong_words_are_one_line(word, says):
    with pytest.raises(ConfigError, match=says) as caught:
        space.parse([word])
    assert "\n" not in str(caught.value)


def test_weights_live_on_the_simplex():
    terms = {"dice": 1.0, "bce": 2.0, "ce": 1.0}
    searched = Space(tuple(space.weights(terms, 10.0)), terms)
    assert [d.key for d in searched.dimensions] == ["weight.bce", "weight.ce"]
    # Equal log-ratios are equal weights; the first term has no dimension of its own.
    assert searched.expression({"weight.bce": 0.0, "weight.ce": 0.0}) == "dice:0.333+bce:0.333+ce:0.333"
    high = searched.suggest(Fixed())
    assert high == {"weight.bce": math.log(10), "weight.ce": math.log(10)}
    assert searched.overrides(high) == ["loss=dice:0.048+bce:0.476+ce:0.476"]
    # It begins with what was written.
    assert searched.expression(searched.first()) == "dice:0.25+bce:0.5+ce:0.25"
    # No term is ever rounded away: a coefficient must be positive.
    assert "bce:0.001" in searched.expression({"weight.bce": -20.0, "weight.ce": 0.0})


def test_other_keys_are_overrides():
    dimensions = (
        Dimension("optimizer.learning_rate", "float", 1e-4, 1e-2, log=True),
        Dimension("model.filters", "int", 4, 8, 4),
        Dimension("loss", "choice", choices=("ce", "dice+bce")),
    )
    searched = Space(dimensions, {})
    values = searched.suggest(Fixed())
    assert searched.overrides(values) == ["optimizer.learning_rate=0.01", "model.filters=8", "loss=dice+bce"]
    assert searched.first() == {}
    assert [str(d) for d in dimensions] == [
        "optimizer.learning_rate: 0.0001 to 0.01, on a log scale",
        "model.filters: 4 to 8, in steps of 4",
        "loss: ce, dice+bce",
    ]
