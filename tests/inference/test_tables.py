import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

from dmf_cli import metrics
from dmf_cli.errors import RunFolderError
from dmf_cli.inference import tables
from dmf_cli.inference.evaluation import Evaluation
from dmf_cli.metrics import summary
from tests.latex import typeset

AWKWARD = ("background", "benign & 50%_a", "mal|ignant*")


def evaluation(classes=("background", "lesion"), empty="nan", perfect=False, dataset="busi", images=8):
    """Made-up label maps: most found in part, one missed, one false alarm, one both empty."""
    truth = np.random.default_rng(1).integers(0, len(classes), (images, 12, 12))
    prediction = truth.copy()
    if not perfect:
        prediction[:, 6:] = 0
        truth[1], prediction[1], prediction[2], truth[3], prediction[3] = 0, 1, 0, 0, 0
    pairs = zip(truth, prediction, strict=True)
    matrices = np.stack([metrics.confusion(t, p, len(classes)) for t, p in pairs])
    lesions = np.sum(
        [metrics.lesion_confusion(t, p, len(classes)) for t, p in zip(truth, prediction, strict=True)], axis=0
    )
    figures = summary.summarize(matrices, classes, empty=empty, lesions=lesions)
    figures["settings"] = {
        "dataset": dataset, "split": None, "image_size": (128, 96), "resolution": "original",
        "threshold": 0.5, "empty": empty, "rules": metrics.rules(empty),
    }  # fmt: skip
    dice = metrics.dice(metrics.foreground_counts(matrices))
    rows = [{"id": f'a "b", {i}', "height": 500, "foreground.dice": float(v)} for i, v in enumerate(dice)]
    return Evaluation(rows, figures, [])


def printed(result, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(tables.render(result))
    return console.file.getvalue()


@pytest.fixture
def written(tmp_path):
    tables.write_metrics(tmp_path, "test", evaluation(AWKWARD, dataset="busi_2"))
    return tmp_path


def test_the_files(written):
    assert sorted(path.name for path in written.iterdir()) == [
        "test_confusion.csv",
        "test_confusion.tex",
        "test_per_image.csv",
        "test_summary.csv",
        "test_summary.json",
        "test_summary.md",
        "test_summary.tex",
    ]


def test_per_image_csv_has_an_empty_cell_where_a_figure_is_undefined(written):
    with (written / "test_per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f'a "b", {i}' for i in range(8)]
    assert rows[3]["foreground.dice"] == ""
    assert 0 < float(rows[0]["foreground.dice"]) < 1


def test_json_is_strict_and_nested(written):
    text = (written / "test_summary.json").read_text()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["foreground"]["dice"]["mean"] > 0
    assert found["counts"]["missed"] == found["counts"]["false_alarm"] == found["counts"]["both_empty"] == 1
    assert found["settings"]["split"] == "test"
    assert found["settings"]["image_size"] == [128, 96]


def test_summary_csv_agrees_with_json(written):
    found = json.loads((written / "test_summary.json").read_text())
    with (written / "test_summary.csv").open(newline="") as file:
        rows = {(row["scope"], row["metric"]): row for row in csv.DictReader(file)}
    assert float(rows["foreground", "dice"]["mean"]) == pytest.approx(found["foreground"]["dice"]["mean"])
    assert int(rows["foreground", "missed"]["n"]) == 1
    assert ("class.mal|ignant*", "iou") in rows
    assert ("all_classes", "cb_dice") in rows
    everything = found["trivial"]["everything"]["dice"]["pooled"]
    assert float(rows["trivial.everything", "dice"]["pooled"]) == pytest.approx(everything)


def test_markdown_rows_have_as_many_cells_as_the_header(written):
    lines = (written / "test_summary.md").read_text().splitlines()
    assert lines[0] == "# busi\\_2, test: 8 images at their original size, likeliest class"
    scores = lines[: lines.index("## Confusion of lesions (rows: truth)")]
    cells = [line for line in scores if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in cells} == {len(tables.COLUMNS) + 1}
    assert "## class mal\\|ignant\\*" in lines
    assert sum(line.startswith("| Dice |") for line in lines) == 5  # mean, foreground and three classes
    heads = [line for line in lines if line.startswith("| truth |")]
    assert [line.replace("\\|", "").count("|") for line in heads] == [6, 6]


def test_latex_is_escaped(written):
    lines = (written / "test_summary.tex").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("%"))
    assert r"\toprule" in text
    assert r"\label{tab:test}" in text
    assert r"busi\_2, test: 8 images" in text
    assert r"benign \& 50\%\_a" in text
    assert r"$\pm$" in text
    assert "±" not in text
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert {line.replace(r"\&", "").count("&") for line in body} == {len(tables.PRINTED) - 1}


@pytest.mark.latex
def test_latex_compiles(written):
    typeset(written, r"\input{test_summary.tex}\input{test_confusion.tex}")


def test_a_folder_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(RunFolderError, match="cannot write") as caught:
        tables.write_metrics(tmp_path / "gone", "test", evaluation())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("classes", [("background", "lesion"), AWKWARD])
def test_the_terminal_shows_every_number_in_full(width, classes):
    text = printed(evaluation(classes), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    header = next(line for line in text.splitlines() if "mean ± std" in line)
    assert header.split() == ["metric", "mean", "±", "std", "median", "n", "pooled", "nothing", "everything"]
    dice = [line.split() for line in text.splitlines() if "Dice" in line and "±" in line]
    assert 9 in map(len, dice)  # of the foreground: trivial predictors have no classes
    assert ("no lesion" in text) == (len(classes) > 2)


@pytest.mark.parametrize("width", [30, 45, 60, 70])
@pytest.mark.parametrize("classes", [("background", "lesion"), AWKWARD])
def test_a_narrow_terminal_keeps_the_names_and_says_which_columns_it_dropped(width, classes):
    text = printed(evaluation(classes), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    header = next(line for line in text.splitlines() if "mean ± std" in line).split()
    gone = [column for column in tables.COLUMNS[2:] if column not in header]
    assert f"Too narrow here for {', '.join(gone)}: the summary" in " ".join(text.split())
    assert header[0] == "metric"
    rows = [line.split() for line in text.splitlines() if "±" in line]
    assert {"Dice", "IoU", "Recall"} <= {row[0] for row in rows}
    assert len(rows[0]) == len(header)


def test_the_terminal_says_what_the_figures_depend_on():
    text = " ".join(printed(evaluation(), 80).split())
    assert "busi: 8 images at their original size, threshold 0.5" in text
    assert (
        "Images with a lesion: 6 (missed 1, no overlap 0); without: 2 (false alarms 1, both empty 1)" in text
    )
    rule = "both empty: Dice, IoU, F1 and precision are excluded from the mean"
    assert f"Empty masks, empty=nan: {rule}" in text
    assert "count 1;" in " ".join(printed(evaluation(empty="one"), 80).split())


def test_network_resolution_is_said():
    result = evaluation()
    result.summary["settings"]["resolution"] = "network"
    assert "8 images at network size 128x96" in " ".join(printed(result, 80).split())


def test_classes_are_shown_if_there_are_several():
    assert "class lesion" not in printed(evaluation(), 120)
    assert "class mal|ignant*" in printed(evaluation(AWKWARD), 120)


def test_a_network_that_is_not_above_the_trivial_ones_is_called_out():
    assert "WARNING" not in printed(evaluation(perfect=True), 80)
    broken = evaluation()
    broken.summary["foreground"]["dice"]["mean"] = 0.01
    text = " ".join(printed(broken, 80).split())
    assert "WARNING: Dice 0.010 is not above that of predicting everything" in text


def test_that_warning_names_the_union_where_there_are_several_classes():
    """Its figure is not the headline then, which is the mean over classes."""
    broken = evaluation(("background", "benign", "malignant"))
    broken.summary["foreground"]["dice"]["mean"] = 0.01
    said = " ".join(tables.warnings(broken.summary))
    assert "WARNING: foreground Dice (union of the classes) 0.010 is not above that of predicting" in said


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (
            {"train": 5, "val": 2},
            "5 of these 8 images trained this network (2 more chose its best epoch): this",
        ),
        ({"train": 8, "val": 0}, "8 of these 8 images trained this network: this is no test"),
        ({"train": 0, "val": 8}, "8 of these 8 images chose the network's best epoch: this is no test"),
        (None, "Whether this network was trained on these images is not known"),
    ],
)
def test_a_score_that_is_no_test_says_so(seen, says):
    result = evaluation(perfect=True)
    result.summary["settings"]["seen"] = seen
    assert says in " ".join(printed(result, 80).split())
    assert says in tables.markdown(result.summary)


def test_one_image_has_no_deviation():
    result = evaluation(perfect=True, images=1)
    assert result.summary["foreground"]["dice"]["n"] == 1
    line = next(line for line in printed(result, 80).splitlines() if line.strip().startswith("Dice"))
    assert line.split()[:3] == ["Dice", "1.000", "1.000"]


def test_every_table_says_how_masks_were_made_and_how_far_probabilities_were_off():
    result = evaluation()
    result.summary["settings"] |= {
        "rule": "mirrored, Dice-optimal, temperature 1.31",
        "ece": {"before": 0.0214, "after": 0.0092},
    }
    error = "Calibration error (ECE) of the foreground: 0.021 before the temperature, 0.009 after it"
    for text in (tables.markdown(result.summary), tables.latex(result.summary, "test")):
        assert "mirrored, Dice-optimal, temperature 1.31" in text
        assert error in text
        assert "threshold 0.5" not in text
    assert "threshold 0.5" in tables.markdown(evaluation().summary)
