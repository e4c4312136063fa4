"""Signatures as they are read from source, without Keras, and what help and completion make of a type."""

import inspect
import subprocess
import sys
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval

from dmf_cli import lookup
from dmf_cli.config import fields
from dmf_cli.config.types import alternatives, choices
from dmf_cli.parts import registry
from dmf_cli.ranges import Count, Device, Fraction, PathName, Share


@pytest.mark.parametrize("kind", ["loss", "strategy", "model", "augmentation"])
def test_what_is_read_from_source_is_what_python_sees(kind):
    for name in registry.names(kind):
        part, read = registry.find(kind, name), registry.definition(kind, name)
        seen = {key: p.annotation for key, p in lookup.keywords(part).items()}
        assert read.hints == seen, name
        defaults = {key: p.default for key, p in lookup.keywords(part).items()}
        assert {key: one.default for key, one in read.parameters.items()} == defaults, name
        assert inspect.Parameter.empty not in seen.values(), "each parameter says its type"


def test_a_config_is_checked_without_keras():
    code = (
        "import sys; from dmf_cli import config; config.compose(['loss=dice+ce', 'model=unetpp']);"
        "sys.exit('keras' in sys.modules or 'dmf_cli.losses' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_option_has_the_keys_of_what_it_builds_on():
    found = fields.of_option("weighting", "var_reference_pets")
    assert {"name", "window", "floor"} <= found.keys()
    assert "prior" not in found


def test_a_published_dataset_says_where_it_is_and_needs_no_folder():
    own, published = (fields.of_option("dataset", name) for name in ("folder", "busi"))
    assert published.keys() - own.keys() == {"download"}
    assert (own["dir"], published["dir"]) == (PathName, PathName | None)


@pytest.mark.parametrize(
    ("hint", "words", "values"),
    [
        (int, ["int"], []),
        (bool | Literal["auto"], ["bool", "auto"], ["true", "false", "auto"]),
        (PathName | None, ["path", "null"], ["null"]),
        (Literal[8, 16], ["8", "16"], ["8", "16"]),
        (Count | Literal["auto"], ["int >= 1", "auto"], ["auto"]),
        (Annotated[float, Interval(gt=0)], ["float > 0"], []),
        (Annotated[float, Interval(lt=1e-3)], ["float < 0.001"], []),
        (Fraction, ["float in [0, 1)"], []),
        (Annotated[float, Interval(gt=0, le=100)], ["float in (0, 100]"], []),
        (list[str], ["list of str"], []),
        (tuple[Count, Count] | None, ["list of 2 ints >= 1", "null"], ["null"]),
        (dict[str, Any] | None, ["mapping", "null"], ["null"]),
        (list[Any] | None, ["list", "null"], ["null"]),
        (Literal["easy", "hard"] | Share, ["easy", "hard", "float in [0, 1]"], ["easy", "hard"]),
        (Device, ["auto", "cpu", "gpu", "gpu:N"], ["auto", "cpu", "gpu"]),
    ],
)
def test_a_type_as_help_and_completion_show_it(hint, words, values):
    assert alternatives(hint) == words
    assert choices(hint) == values
