"""``dmf predict`` from the command line."""

import csv
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.inference import ensemble
from dmf_cli.inference.prediction import Prediction


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.yaml").write_text(configs.to_yaml(configs.compose([])))

    def for_files(paths, config):
        return lambda x: x, {
            "prediction": Prediction(InputSpec((8, 8)), config.metrics.threshold),
            "classes": ("background", "lesion"),
            "batch_size": 4,
        }

    monkeypatch.setattr(ensemble, "for_files", for_files)
    Image.fromarray(np.full((9, 7), 150, np.uint8)).save(tmp_path / "grey.png")
    (tmp_path / "text.png").write_text("no image")
    return tmp_path / "run"


def test_masks_go_into_the_run_or_where_one_says(run, tmp_path, capsys):
    assert main(["predict", str(run), str(tmp_path / "grey.png")]) == 0
    assert re.search(
        r"1 of 1 images, written to .*/predictions/grey \([\d.]+ images/s\)", capsys.readouterr().out
    )
    with Image.open(run / "predictions/grey/masks/grey.png") as mask:
        assert np.asarray(mask).min() == 255
    elsewhere = ["predict", str(run), str(tmp_path / "grey.png"), "-o", str(tmp_path / "out")]
    assert main([*elsewhere, "--threshold", "0.7"]) == 0
    with Image.open(tmp_path / "out/masks/grey.png") as mask:
        assert np.asarray(mask).max() == 0


def test_unreadable_files_are_listed_and_nothing_but_them_is_an_error(run, tmp_path, capsys):
    both = [str(tmp_path / name) for name in ("grey.png", "text.png")]
    assert main(["predict", str(run), *both, "-o", str(tmp_path / "o")]) == 0
    said = capsys.readouterr()
    assert "text.png cannot be read" in said.err
    assert "1 of 2 images" in said.out
    (tmp_path / "more.png").touch()
    for files, says in (
        ([both[1]], f"error: {both[1]} cannot be read"),
        ([both[1], str(tmp_path / "more.png")], "error: none of the 2 images can be read, first: "),
    ):
        assert main(["predict", str(run), *files, "-o", str(tmp_path / "new")]) == 2
        said = capsys.readouterr()
        assert said.err.startswith(says)
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing", "x.png"], "nothing"),
        (["{run}", "gone.png"], "gone.png does not exist"),
        (["{run}"], "PATH"),
        (["{run}", "{run}/..", "--exclude", "*"], "--exclude '*' leaves none of the 2 images in"),
        (["{run}", "{run}/../grey.png", "--threshold", "often"], "invalid float value: 'often'"),
        (["{run}", "{run}/../grey.png", "--spacing", "0.1"], "--spacing is '0.1': give millimetres per"),
        (["{run}", "{run}/../grey.png", "--spacing=0.1,-1"], "--spacing is '0.1,-1': give millimetres per"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(run, capsys, arguments, says):
    assert main(["predict", *(word.format(run=run) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_doubtful_masks_are_listed_the_most_doubtful_first(run, tmp_path, capsys):
    for name, level in (("a", 100), ("b", 250), ("c", 120)):
        Image.fromarray(np.full((9, 7), level, np.uint8)).save(tmp_path / f"{name}.png")
    paths = [str(tmp_path / f"{name}.png") for name in "abc"]
    assert main(["predict", str(run), *paths, "-o", str(tmp_path / "o"), "--uncertainty"]) == 0
    said = capsys.readouterr().out.splitlines()
    start = said.index("2 masks are doubtful (expected Dice below 0.7; areas.csv has all):")
    assert [line.split()[1] for line in said[start + 1 :]] == [paths[2], paths[0]]
    assert (tmp_path / "o/uncertainty/a.png").is_file()


def test_several_runs_then_images_and_settings(run, tmp_path, monkeypatch, capsys):
    known, asked = ensemble.for_files, []
    monkeypatch.setattr(ensemble, "for_files", lambda *given: asked.append(given) or known(*given))
    other = tmp_path / "other"
    shutil.copytree(run, other)
    for folder in (run, other):
        (folder / "status.json").write_text('{"state": "completed"}')
    words = ["predict", str(run), str(other), "predict.mirror=true", str(tmp_path / "grey.png")]
    assert main([*words, "-o", str(tmp_path / "o")]) == 0
    ((runs, config),) = asked
    assert runs == [run, other]
    assert config.predict.mirror is True
    assert main(["predict", str(run), str(tmp_path / "grey.png"), str(other)]) == 2
    assert "is a run after the first path of images" in capsys.readouterr().err
    assert main([*words[:3], "-o", str(tmp_path / "o")]) == 2
    assert "required: PATH" in capsys.readouterr().err
    assert main([*words, "predict.mirrors=true"]) == 2
    assert "did you mean 'mirror'" in capsys.readouterr().err


def test_spacing_gives_areas_in_square_millimetres(run, tmp_path):
    arguments = ["predict", str(run), str(tmp_path / "grey.png"), "-o", str(tmp_path / "o")]
    assert main([*arguments, "--spacing", "0.1,0.2"]) == 0
    with (tmp_path / "o/areas.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["lesion_mm2"]) == pytest.approx(63 * 0.02)


def test_an_interruption_is_code_130_and_keeps_what_is_written(run, tmp_path, monkeypatch):
    for number in range(6):
        Image.fromarray(np.full((9, 7), 150, np.uint8)).save(tmp_path / f"{number}.png")
    known, calls = ensemble.for_files, []

    def interrupting(*given):
        predict, settings = known(*given)

        def twice(x):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return predict(x)

        return twice, settings

    monkeypatch.setattr(ensemble, "for_files", interrupting)
    paths = [str(tmp_path / f"{number}.png") for number in range(6)]
    assert main(["predict", str(run), *paths, "-o", str(tmp_path / "o")]) == 130
    assert len(list((tmp_path / "o/masks").iterdir())) == 4


def test_what_is_odd_is_reported_beside_the_count(run, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, level in (("a", 150), ("b", 20)):
        Image.fromarray(np.full((9, 7), level, np.uint8)).save(folder / f"{name}.png")
    (folder / "c.heic").touch()
    assert main(["predict", str(run), str(folder), "-o", str(folder / "out")]) == 0
    said = capsys.readouterr()
    assert f"note: not read in {folder}: 1 .heic" in said.err
    assert "1 of 2 masks are empty" in said.out
    assert main(["predict", str(run), str(folder), "-o", str(folder / "out")]) == 0
    said = capsys.readouterr()
    assert "are not taken as images: 4" in said.err
    assert "2 of 2 images" in said.out


def test_large_images_are_skipped_unless_one_allows_them(run, tmp_path, capsys):
    arguments = ["predict", str(run), str(tmp_path / "grey.png"), "-o", str(tmp_path / "o")]
    assert main([*arguments, "--max-pixels", "62"]) == 2
    assert "is 7x9, 63 pixels, and dataset.max_pixels is 62" in capsys.readouterr().err
    assert main([*arguments, "--max-pixels", "63"]) == 0
    assert main([*arguments, "--max-pixels", "0"]) == 2
    assert "dataset.max_pixels is 0: give a number from 1" in capsys.readouterr().err
