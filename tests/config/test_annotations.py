"""Comments of YAML files as annotations: all of ours can be read, and every default is what they say."""

import functools
from typing import Annotated, Any, Literal

import pytest
from omegaconf import OmegaConf

from dmf_cli import conf_files
from dmf_cli.config import annotations
from dmf_cli.config.headers import key_comments
from dmf_cli.config.types import Range, fits

CONF = conf_files.conf_dir()
FILES = sorted(CONF.rglob("*.yaml"))
Count = Annotated[int, Range(at_least=1)]


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("(int) x", int),
        ("(bool) x", bool),
        ("(path|null)", str | None),
        ("(mapping|null) x", dict | None),
        ("(list|null) (x)", list | None),
        ("(softmax|sigmoid) x", Literal["softmax", "sigmoid"]),
        ("(8|16) of (the) encoder", Literal[8, 16]),
        ("(1) grey", Literal[1]),
        ("(mapping|own|pool) x", dict | Literal["own", "pool"]),
        ("(int >= 1|auto) x", Count | Literal["auto"]),
        ("(float > 0|null) x", Annotated[float, Range(above=0)] | None),
        ("(float < 1e-3) x", Annotated[float, Range(below=1e-3)]),
        ("(float <= 2) x", Annotated[float, Range(at_most=2)]),
        ("(float in [0, 1)) x", Annotated[float, Range(at_least=0, below=1)]),
        ("(float in (0, 100]) x", Annotated[float, Range(above=0, at_most=100)]),
        ("(float in (0, 1)|null) x", Annotated[float, Range(above=0, below=1)] | None),
        ("(int in [-1, 15]) x", Annotated[int, Range(at_least=-1, at_most=15)]),
        ("(float in [0, 1/terms]) x", Annotated[float, Range(at_least=0)]),
        ("(float <= 1/terms) x", float),
        ("(list of str) x", list[str]),
        ("(list of 2 ints >= 1) x", tuple[Count, Count]),
        ("(a|b|float in [0, 1]) x", Literal["a", "b"] | Annotated[float, Range(at_least=0, at_most=1)]),
    ],
)
def test_annotation(comment, expected):
    assert annotations.annotation(comment) == expected


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "steps",
        "(int >= 1",
        "()",
        "(int>=1) x",
        "(flaot >= 0) x",
        "(str > 3) x",
        "(list of words) x",
        "(a b)",
        "(float in [0 1]) x",
        "(float in 0, 1) x",
        "(int >= 1)x",
    ],
)
def test_what_is_not_of_the_grammar_is_an_error(comment):
    with pytest.raises(ValueError, match="type"):
        annotations.annotation(comment)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_every_comment_can_be_read(file):
    for comment in filter(None, key_comments(file).values()):
        assert annotations.annotation(comment) is not Any


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_every_default_is_what_its_comment_says(file):
    given, wrong = OmegaConf.to_container(OmegaConf.load(file)), {}
    for key, comment in key_comments(file).items():
        value = functools.reduce(lambda node, part: node[part], key.split("."), given)
        value = "nan" if value != value else value  # the word, in YAML a number
        swept = key.startswith("hydra.sweeper.")  # the values of several jobs, as text
        if comment and not swept and not fits(value, annotations.annotation(comment)):
            wrong[key] = value
    assert wrong == {}


def test_an_option_has_the_keys_of_what_it_builds_on():
    found = annotations.of_option("weighting", "var_reference_pets")
    assert {"name", "window", "floor"} <= found.keys()
    assert "defaults" not in found


def test_keys_that_hold_keys_may_be_anything():
    found = annotations.of_option("dataset", "busi")
    assert found["download"] is Any
    assert not any("." in key for key in found)
