"""A run with an augmentation and metrics of the user's, from the words of the command to its report."""

import csv
import json

import pytest

from dmf_cli.cli.main import main
from dmf_cli.errors import PluginError
from dmf_cli.parts import plugins
from dmf_cli.run_folder import stored_config
from dmf_cli.training import trainer

SOURCE = '''
import dmf_cli
from dmf_cli.augmentations import affine


@dmf_cli.augmentation
def noisy(images, labels, draw, *, sigma: float = 0.05):
    """Mirror and noise."""
    images, labels = affine(images, labels, draw, flip=0.5)
    return images + sigma * draw(9, images.shape[1:], normal=True), labels


@dmf_cli.metric(better="low")
def area_error(truth, prediction, *, tolerance: float = 0.0):
    """Difference of the areas, NaN without a structure."""
    return max(0.0, abs(float(truth.sum()) - prediction.sum()) - tolerance) if truth.any() else float("nan")


@dmf_cli.metric(better="high")
def my_dice(counts):
    """Dice by hand."""
    return 2 * counts.tp / (2 * counts.tp + counts.fp + counts.fn)


@dmf_cli.metric(better="high")
def wordy(truth, prediction):
    """No number."""
    return "good"


@dmf_cli.augmentation
def broken(images, labels, draw):
    """One column less."""
    return images[:, :, 1:], labels
'''


@pytest.fixture
def lab(tmp_path):
    file = tmp_path / "lab.py"
    file.write_text(SOURCE)
    with plugins.isolated():
        yield file


def test_a_run_of_both_is_trained_scored_and_scored_again(tiny, lab, capsys):
    words = (f"plugins={lab}", "augment=noisy", "metrics=default+area_error+my_dice")
    run = trainer.train(tiny(*words, "trainer.epochs=1", "metrics.own.area_error.tolerance=3"))
    with (run / "metrics" / "test_per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["foreground.my_dice"] for row in rows] == [row["foreground.dice"] for row in rows]
    summary = json.loads((run / "metrics" / "test_summary.json").read_text())
    hash = stored_config.load_run(run).plugins["lab"]["hash"]
    said = {"better": "low", "params": {"tolerance": 3}, "hash": hash}
    assert summary["settings"]["own_metrics"]["area_error"] == said
    assert summary["foreground"]["area_error"]["n"] == sum(row["foreground.area_error"] != "" for row in rows)
    assert stored_config.load_run(run).augment.params == {"sigma": 0.05}

    main(["report", str(run)])
    page = (run / "report.html").read_text().replace("<wbr>", "")
    assert "area_error (low)" in page
    assert "Your own metrics: area_error, tolerance=3; my_dice" in page

    before = (run / "metrics" / "test_per_image.csv").read_text()
    assert main(["eval", str(run), f"plugins={lab}"]) == 0
    assert (run / "metrics" / "test_per_image.csv").read_text() == before
    assert main(["eval", str(run), f"plugins={lab}", "metrics.own.area_error.tolerance=0"]) == 0
    assert (run / "metrics" / "test_own.area_error.tolerance=0_summary.json").is_file()
    assert "area_error" in capsys.readouterr().out  # "(low)" is on the next line where the table is narrow


def test_a_run_without_any_is_scored_with_them_afterwards(tiny, lab, capsys):
    run = trainer.train(tiny("trainer.epochs=1"))
    assert main(["eval", str(run), f"plugins={lab}", "metrics=full+area_error"]) == 0
    head = (run / "metrics" / "test_per_image.csv").read_text().partition("\n")[0].split(",")
    assert {"foreground.area_error", "foreground.hd95", "foreground.dice"} <= set(head)
    assert "area_error" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["metrics=default+wordy"], "lab.py, line 26: metric 'wordy': gives 'good' (str)"),
        (["augment=broken"], "lab.py, line 32: augmentation 'broken': gives images float32 (4, 32, 31, 1)"),
    ],
)
def test_what_cannot_work_fails_before_there_is_a_folder(tiny, lab, words, says):
    config = tiny(f"plugins={lab}", *words)
    with pytest.raises(PluginError) as caught:
        trainer.train(config)
    assert caught.value.what == says
    assert not (lab.parent / "run").exists()
