"""Which class is taken for which, by hand."""

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.inference import confusion, tables
from dmf_cli.metrics.summary import per_image_means, summarize

NAMES = ("background", "benign", "malignant")
# Two benign lesions (one found, one missed), one malignant (most of it said to be benign), one false alarm.
TRUTH = np.array([[1, 1, 0, 1, 0, 2, 2, 2, 0, 0]])
PREDICTION = np.array([[1, 0, 0, 0, 0, 1, 1, 2, 0, 2]])


def figures():
    matrix = metrics.confusion(TRUTH, PREDICTION, 3)[None]
    found = summarize(matrix, NAMES, lesions=metrics.lesion_confusion(TRUTH, PREDICTION, 3))
    settings = {"dataset": "d", "split": "test", "image_size": (1, 10), "resolution": "original"}
    found["settings"] = {**settings, "threshold": 0.5, "empty": "nan", "rules": ()}
    return found


def test_lesions_by_class():
    assert metrics.lesion_confusion(TRUTH, PREDICTION, 3).tolist() == [[0, 0, 1], [1, 1, 0], [0, 1, 0]]
    # A third of the malignant lesion is not enough of it, and all of it is predicted as something.
    assert metrics.lesion_confusion(TRUTH, PREDICTION, 3, overlap=0.5).tolist()[1] == [2, 0, 0]
    assert confusion.confused(figures()) == (1, 3)


def test_a_corner_joins_lesions_or_not():
    truth = np.array([[1, 0], [0, 1]])
    assert metrics.lesion_confusion(truth, truth, 2).tolist() == [[0, 0], [0, 1]]
    assert metrics.lesion_confusion(truth, truth, 2, connectivity=1).tolist() == [[0, 0], [0, 2]]
    assert metrics.lesion_confusion(0 * truth, 0 * truth, 2).sum() == 0


def test_tables_and_csv():
    (columns, rows), (pixel_columns, pixels) = confusion.sections(figures()).values()
    assert columns == ["truth", "benign", "malignant", "missed", "lesions"]
    assert rows == [
        ["benign", "1", "0", "1", "2"],
        ["malignant", "1", "0", "0", "1"],
        ["no lesion", "0", "1", "", "1"],
    ]
    assert pixel_columns == ["truth", *NAMES, "pixels"]
    assert pixels[2] == ["malignant", "0.0 %", "66.7 %", "33.3 %", "3"]
    cells = list(confusion.records(figures()))
    assert ("lesions", "malignant", "benign", 1) in cells
    assert ("lesions", "benign", "missed", 1) in cells
    assert ("pixels", "background", "malignant", 1) in cells
    assert sum(count for kind, *_, count in cells if kind == "pixels") == TRUTH.size
    assert "| malignant | 1 | 0 | 0 | 1 |" in confusion.markdown(figures())


def test_latex():
    lesions, pixels = confusion.latex(figures(), "test", "d, test: 50 % of A & B").split("\n\n")
    assert "\\label{tab:test-lesions}" in lesions
    assert "\\label{tab:test-pixels}" in pixels
    assert "\\caption{Confusion of lesions (rows: truth). d, test: 50 \\% of A \\& B.}" in lesions
    assert "    malignant & 1 & 0 & 0 & 1 \\\\" in lesions.splitlines()
    assert f"% {confusion.NOTE}" in lesions
    assert confusion.NOTE not in pixels
    assert "    malignant & 0.0 \\% & 66.7 \\% & 33.3 \\% & 3 \\\\" in pixels.splitlines()


def test_it_is_in_the_terminal_if_small_and_of_one_class_nowhere():
    assert confusion.render(figures()) is not None
    many = {**figures(), "classes": {str(c): {} for c in range(confusion.MOST + 1)}}
    many["confusion"] = {"lesions": np.zeros((len(many["classes"]),) * 2, int).tolist()}
    assert confusion.render(many) is None
    binary = summarize(metrics.confusion(TRUTH > 0, PREDICTION > 0, 2)[None], ("background", "lesion"))
    assert confusion.sections(binary) == {}
    assert "mean" not in binary
    assert confusion.confused(binary) is None


def test_a_class_that_is_never_predicted_or_never_there_is_named():
    blind = np.where(PREDICTION == 2, 0, PREDICTION)
    found = {**figures(), **summarize(metrics.confusion(TRUTH, blind, 3)[None], NAMES)}
    assert tables.warnings(found)[0] == "WARNING: malignant is never predicted, and 1 image has it"
    assert not any("never predicted" in line for line in tables.warnings(figures()))
    without = summarize(metrics.confusion(np.minimum(TRUTH, 1), blind, 3)[None], NAMES)
    said = tables.warnings({**figures(), **without})
    assert any("there is no image with malignant" in line for line in said)


@pytest.mark.parametrize(("empty", "expected"), [("nan", 0.8), ("one", 0.9), ("zero", 0.4)])
def test_a_class_that_an_image_has_not_is_no_0_in_its_mean(empty, expected):
    # Benign Dice .8, malignant in neither mask.
    matrix = np.array([[[6, 1, 0], [1, 4, 0], [0, 0, 0]]])
    means = per_image_means(metrics.class_counts(matrix), empty)
    assert means["dice"].tolist() == pytest.approx([expected])
    assert summarize(matrix, NAMES, empty="nan")["mean"]["dice"]["mean"] == pytest.approx(0.8)


def test_a_rare_class_that_is_never_found_halves_the_headline():
    benign, malignant = [[6, 1, 0], [1, 4, 0], [0, 0, 0]], [[7, 0, 0], [0, 0, 0], [1, 4, 0]]
    found = summarize(np.array([benign] * 9 + [malignant]), NAMES)
    assert found["foreground"]["dice"]["mean"] == pytest.approx((9 * 0.8 + 8 / 9) / 10)
    # Nine images in ten are found, and the false alarm in the tenth counts against the benign.
    assert found["mean"]["dice"]["mean"] == pytest.approx((0.9 * 0.8 + 0.0) / 2)


def test_nothing_at_all_is_undefined():
    nothing = summarize(np.array([[[12, 0, 0], [0, 0, 0], [0, 0, 0]]]), NAMES)
    assert np.isnan(nothing["mean"]["dice"]["mean"])
    assert nothing["mean"]["dice"]["n"] == 0
