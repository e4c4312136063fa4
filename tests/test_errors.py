"""The tree of errors: exit codes, one line each, closest match first."""

import inspect
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from dmf_cli import errors
from dmf_cli.errors import ConfigError, DmfError, UnknownNameError, UsageError, suggest

ALL = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, DmfError)]


@pytest.mark.parametrize("error", ALL, ids=lambda e: e.__name__)
def test_the_exit_code_says_whether_anything_was_started(error: type[DmfError]) -> None:
    assert error.exit_code == (2 if issubclass(error, UsageError) else 1)


def test_the_docstring_draws_the_whole_tree() -> None:
    drawn = re.findall(r"(?:-- |^)(\w*Error)\b", errors.__doc__, flags=re.MULTILINE)
    assert sorted(drawn) == sorted(error.__name__ for error in ALL)


def test_library_users_may_catch_value_error() -> None:
    assert issubclass(errors.ConfigError, ValueError)
    with pytest.raises(ValueError, match="unknown loss"):
        raise UnknownNameError("loss", "x", ["dice"])


def test_an_unknown_name_is_one_line_with_the_closest_first() -> None:
    error = UnknownNameError("loss", "dcie", ["iou", "dice"], hint="see `dmf list losses`")
    assert (
        str(error) == "unknown loss 'dcie': did you mean 'dice'? (allowed: dice, iou); see `dmf list losses`"
    )
    assert (error.key, error.value, error.allowed) == ("loss", "dcie", ["dice", "iou"])


def test_nothing_is_suggested_when_nothing_is_close() -> None:
    assert suggest("zzz", ["dice", "iou"]) == "allowed: dice, iou"
    assert suggest(3, ["dice"]) == "allowed: dice"


@pytest.mark.parametrize(
    ("name", "allowed", "meant"),
    [
        ("DICE", ["bce", "dice"], "dice"),
        ("unet", ["UNet", "ResUNet"], "UNet"),
        ("val_dice", ["val_foreground_dice", "val_loss.cbdice", "val_objective"], "val_foreground_dice"),
        ("val_loss", ["val_loss.bce", "val_loss.cbdice"], "val_loss.bce"),  # two hold both words: by letters
    ],
)
def test_the_closest_name(name: str, allowed: list[str], meant: str) -> None:
    assert suggest(name, allowed).startswith(f"did you mean {meant!r}? (allowed: ")


FIELDS = {"key": "trainer.epochs", "value": 0, "allowed": "a number of 1 or above", "hint": "see the manual"}


@pytest.mark.parametrize("error", ALL, ids=lambda e: e.__name__)
def test_an_error_survives_a_worker_process(error: type[DmfError]) -> None:
    made = error("loss", "dcie", ["dice"], "look") if error is UnknownNameError else error(**FIELDS)
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is error
    assert (str(again), vars(again)) == (str(made), vars(made))


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (FIELDS, "trainer.epochs is 0: give a number of 1 or above; see the manual"),
        ({"key": "dataset.dir", "value": None, "hint": "set it"}, "dataset.dir is null: set it"),
        ({"key": "seed", "value": "a", "reason": "a word", "hint": "x"}, "seed is 'a', a word: x"),
        ({"key": "a", "value": "ic", "allowed": ["ice"]}, "a is 'ic': did you mean 'ice'? (allowed: ice)"),
        ({"path": Path("a.png"), "reason": "is missing", "hint": "copy it"}, "a.png is missing: copy it"),
        ({"what": "there are 3 outputs", "key": "model", "value": 3}, "there are 3 outputs"),
    ],
)  # fmt: skip
def test_the_line_is_made_of_the_fields(fields: dict[str, Any], line: str) -> None:
    error = ConfigError(**fields)
    assert str(error) == line
    assert {name: getattr(error, name) for name in fields} == fields


def test_a_place_and_a_hint_are_added_without_losing_the_fields() -> None:
    error = ConfigError(**FIELDS).within("job 3").but("or stop")
    assert str(error) == "job 3: trainer.epochs is 0: give a number of 1 or above; see the manual; or stop"
    assert (error.key, error.value, error.allowed) == ("trainer.epochs", 0, "a number of 1 or above")
    name = UnknownNameError("loss", "dcie", ["dice"]).within("job 3")
    assert str(name) == "job 3: unknown loss 'dcie': did you mean 'dice'? (allowed: dice)"
