"""Colours come from one module, and those of classes are none of the others on the same picture."""

import itertools
import re
from pathlib import Path

import dmf_cli
from dmf_cli.figures import palette


def distance(one, other):
    return sum((a - b) ** 2 for a, b in zip(palette.rgb(one), palette.rgb(other), strict=True)) ** 0.5


def test_classes_look_like_neither_truth_nor_prediction_nor_each_other():
    every = [*palette.CLASSES, palette.TRUTH, palette.PREDICTION]
    assert min(distance(a, b) for a, b in itertools.combinations(every, 2)) > 80


def test_one_class_has_the_colour_of_truth_or_prediction_and_several_their_own():
    assert palette.outlines(2, palette.TRUTH) == (palette.TRUTH,)
    assert palette.outlines(4, palette.TRUTH) == palette.CLASSES[:3]
    assert palette.legend(["background", "lesion"]) == []
    assert palette.legend(["background", "a", "b"]) == [("a", palette.CLASSES[0]), ("b", palette.CLASSES[1])]


def test_no_other_module_has_a_colour_of_the_palette():
    drawn = {c.lower() for c in (palette.TRUTH, palette.PREDICTION)}
    every = {c.lower() for c in (*palette.SERIES, *palette.SERIES_DARK, *palette.CLASSES)} | drawn
    for file in Path(dmf_cli.__file__).parent.rglob("*"):
        if file.suffix in (".py", ".css", ".js", ".html") and file.name != "palette.py":
            found = {c.lower() for c in re.findall(r"#[0-9a-fA-F]{6}\b", file.read_text(encoding="utf-8"))}
            # The style sheet has colours of its own for the page.
            assert not found & (every if file.suffix == ".py" else drawn), file
