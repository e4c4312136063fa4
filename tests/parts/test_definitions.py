"""What is read of a file with parts, without running it."""

from typing import Any, Literal

import pytest

from dmf_cli.errors import PluginError
from dmf_cli.parts import definitions
from dmf_cli.parts.kinds import KINDS
from dmf_cli.ranges import Share
from tests.raised import raises

HEAD = "import dmf_cli\n"
LOSS = '''
raise SystemExit("it was run")
from typing import Literal
from annotated_types import Interval
from dmf_cli.ranges import Share
from dmf_cli import loss

HOW = Literal["a", "b"]
START = 0.25


@loss
def mine(y_true, y_pred, *, alpha=START, part: Share = 0.5, how: HOW = "a", n=3, many=(1, 2),
         odd: open("/etc/passwd") = None, ratio=4 / 3):
    """One line of it.

    Args:
        alpha: how much,
            in all.
        how (str): which way.

    Source: nobody.
    """


@loss
class no: ...
'''


@pytest.fixture
def write(tmp_path):
    def write(text, name="my.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_name_parameters_and_docstring_are_read_and_nothing_runs(write):
    (mine,) = definitions.in_file(write(LOSS.partition("@loss\nclass")[0]))
    assert (mine.kind, mine.name, mine.line, mine.place) == ("loss", "mine", 13, "my.py, line 13")
    assert (mine.summary, mine.source) == ("One line of it", "nobody")
    assert mine.defaults == {
        "alpha": 0.25, "part": 0.5, "how": "a", "n": 3, "many": [1, 2], "odd": None, "ratio": 4 / 3,
    }  # fmt: skip
    assert mine.hints == {
        "alpha": float, "part": Share, "how": Literal["a", "b"], "n": float, "many": list, "odd": Any,
        "ratio": float,
    }  # fmt: skip
    assert {k: p.meaning for k, p in mine.parameters.items() if p.meaning} == {
        "alpha": "how much, in all",
        "how": "which way",
    }


@pytest.mark.parametrize(
    "head",
    [
        "import dmf_cli\n@dmf_cli.",
        "import dmf_cli as d\n@d.",
        "from dmf_cli import loss\n@",
        "from dmf_cli import parts\n@parts.",
        "from dmf_cli.parts import loss as loss\n@",
    ],
)
def test_a_decorator_may_be_imported_in_any_way(write, head):
    found = definitions.in_file(write(f"{head}loss\ndef a(y_true, y_pred): ...\n"))
    assert [one.name for one in found] == ["a"]


def test_what_only_looks_like_a_decorator_is_none(write):
    text = "from mine import loss\n@loss\ndef a(): ...\n@other.loss\ndef b(): ...\n"
    assert definitions.in_file(write(text)) == ()


def test_a_strategy_has_the_parameters_of_its_bases(write):
    text = """
from dmf_cli import strategy, weighting
from dmf_cli.weighting import var

@strategy
class mine(weighting.Strategy):
    def __init__(self, *, power=2.0, warmup=7, **common): ...

@strategy
class other(var): ...
"""
    mine, other = definitions.in_file(write(text))
    assert list(mine.defaults) == [
        "power", "warmup", "total", "prior", "every", "floor", "ceiling", "smoothing",
    ]  # fmt: skip
    assert mine.defaults["warmup"] == 7
    assert "window" in other.defaults


def test_a_changed_file_is_read_again(write):
    definitions.in_file(write(f"{HEAD}@dmf_cli.loss\ndef a(y_true, y_pred): ...\n"))
    (found,) = definitions.in_file(write(f"{HEAD}@dmf_cli.loss\ndef other(y_true, y_pred): ...\n"))
    assert found.name == "other"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("@dmf_cli.loss\ndef a(y_true, y_pred", "my.py, line 3: '(' was never closed"),
        ("@dmf_cli.loss\ndef a(y_pred): ...", "my.py, line 3: loss 'a': it takes (y_pred)"),
        ("@dmf_cli.loss\ndef a(y_true, y_pred, b=1): ...", "b can be set only after a *"),
        ("@dmf_cli.loss\ndef a(y_true, y_pred, *, b): ...", "b has no default"),
        ("@dmf_cli.loss\ndef a(y_true, y_pred, *, b=object()): ...", "b has no default"),
        ("@dmf_cli.loss\nclass a: ...", "@loss stands before a class"),
        ("@dmf_cli.loss\ndef nan(y_true, y_pred): ...", "the command line reads nan as a value"),
        ("@dmf_cli.strategy\ndef a(): ...", "@strategy stands before a function"),
        ("@dmf_cli.metric\ndef a(truth, prediction): ...", "@metric does not say which values are good"),
        ("@dmf_cli.model\ndef a(shape): ...", "model 'a': it takes (shape)"),
        ("@dmf_cli.augmentation\ndef a(images): ...", "augmentation 'a': it takes (images)"),
        ("\0", "is not valid Python"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(write, text, what):
    with raises(PluginError) as caught:
        definitions.in_file(write(HEAD + text))
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_of_dmf_is_found_and_described(kind):
    for name, one in definitions.of_package(kind).items():
        assert one.summary, name
        assert len(one.arguments) in [len(many) for many in KINDS[kind].arguments] or kind == "strategy"


@pytest.mark.parametrize(
    ("make", "reason"),
    [(lambda p: None, "does not exist"), (lambda p: p.mkdir(), "is a folder")],
)
def test_a_file_that_is_none(tmp_path, make, reason):
    make(tmp_path / "x.py")
    with raises(PluginError, path=tmp_path / "x.py", reason=reason):
        definitions.in_file(tmp_path / "x.py")
