"""Names and parameters: what a user may write, and what a typo is told."""

import inspect
import re

import pytest

from dmf_cli import lookup, losses, weighting
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.parts import registry


@pytest.mark.parametrize("module", [losses, weighting], ids=lambda m: m.__name__)
def test_the_registry_is_sorted_complete_and_described(module) -> None:
    kind = {losses: "loss", weighting: "strategy"}[module]
    assert list(module.__registry__) == sorted(module.__registry__) == registry.names(kind)
    for name in module.__registry__:
        thing = registry.find(kind, name)
        assert thing.__name__ == name
        assert re.match(r".+\.", inspect.getdoc(thing)), name
        # `dmf list` shows the first sentence and this line.
        assert re.search(r"\n\nSource: \w+", inspect.getdoc(thing)), f"{name} names no source"


@pytest.mark.parametrize("module", [losses, weighting], ids=lambda m: m.__name__)
def test_every_parameter_is_documented_typed_and_has_a_default(module) -> None:
    for name in module.__registry__:
        thing = getattr(module, name)
        documented = "".join(inspect.getdoc(owner) or "" for owner in getattr(thing, "__mro__", (thing,)))
        for parameter in lookup.keywords(thing).values():
            assert parameter.default is not parameter.empty, (name, parameter)
            assert parameter.annotation is not parameter.empty, (name, parameter)
            assert f"{parameter.name}:" in documented, (name, parameter.name)


def test_keywords_follow_the_bases_and_stop_where_nothing_is_passed_on() -> None:
    common = {"warmup", "total", "prior", "every", "floor", "ceiling", "smoothing"}
    assert set(lookup.keywords(weighting.bayes)) == {"prior_power", "window", *common}
    assert set(lookup.keywords(weighting.geometric)) == common
    assert set(lookup.keywords(weighting.fixed)) == {"total", "prior"}
    dice = {"pool", "smooth", "background", "squared", "absent", "class_weights"}
    assert set(lookup.keywords(losses.dice)) == dice


def test_keywords_take_the_default_of_the_nearest_class() -> None:
    class Base:
        def __init__(self, *, a: int = 1, b: int = 2) -> None: ...

    class Child(Base):
        def __init__(self, *, a: int = 5, **common: int) -> None: ...

    assert {name: p.default for name, p in lookup.keywords(Child).items()} == {"a": 5, "b": 2}


def test_find_offers_only_registered_names() -> None:
    for name in ("get", "serialize", "keras", "_pixel", ""):
        with pytest.raises(UnknownNameError, match=f"allowed: {', '.join(losses.__registry__)}"):
            registry.find("loss", name)


def test_check_keywords_names_the_closest() -> None:
    lookup.check_keywords("dice", losses.dice, {"pool": "batch"})
    with pytest.raises(ConfigError, match="unknown parameter of dice 'squard': did you mean 'squared'"):
        lookup.check_keywords("dice", losses.dice, {"squard": True})
