"""Annotations evaluated from source: what means something, and that nothing is ever called."""

import ast
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval

from dmf_cli import ranges
from dmf_cli.parts import annotations

MODULE = """
import typing
import annotated_types as at
from typing import Literal, Annotated
from annotated_types import Interval
from dmf_cli import ranges
from dmf_cli.ranges import Share, Count as Whole
HOW = Literal["a", "b"]
from typing import NamedTuple as Ge, get_type_hints as Gt, _eval_type as ANY, sys
Deep0 = Literal[1]
""" + "".join(f"Deep{i + 1} = Deep{i} | Deep{i} | Deep{i} | Deep{i}\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("int", int),
        ("int | None", int | None),
        ("Share", ranges.Share),
        ("Whole", ranges.Count),
        ("ranges.Depth", ranges.Depth),
        ("HOW", Literal["a", "b"]),
        ("typing.Literal['x']", Literal["x"]),
        ("Annotated[float, Interval(gt=0, le=2**10)]", Annotated[float, Interval(gt=0, le=1024)]),
        ("Annotated[float, at.Interval(ge=-1)]", Annotated[float, Interval(ge=-1)]),
        ("list[int]", list[int]),
        ("dict[str, float]", dict[str, float]),
    ],
)
def test_what_is_known(text, value):
    known = annotations.Names(ast.parse(MODULE))
    assert annotations.hint(ast.parse(text, mode="eval").body, known, None) == value


@pytest.mark.parametrize(
    "text",
    [
        "Gt(Ge('X', [('a', \"open('x', 'w')\")]))",
        "Annotated[\"open('x', 'w')\", Interval(ge=0)]",
        "'open(1)'",
        "ANY",
        "list['int']",
        "Deep9",
        "Literal[10**1000]",
        "open('x', 'w')",
        "__import__('os').system('touch x')",
        "np.ndarray",
        "Unknown",
        "typing.__builtins__",
        "(lambda: 1)()",
        "HOW.__class__",
        "Share.__args__[0]",
        "int if 1 else 2",
        "Literal[2**10**10]",
        "[int][5]",
    ],
)
def test_everything_else_says_nothing_and_is_not_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = annotations.Names(ast.parse(MODULE))
    assert annotations.hint(ast.parse(text, mode="eval").body, known, None) is Any
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("default", "value"),
    [(True, bool), (1, float), (0.5, float), ("a", str), ([1], list), ((1,), list), (None, Any), (..., Any)],
)
def test_without_one_the_default_says_it(default, value):
    assert annotations.hint(None, None, default) is value
