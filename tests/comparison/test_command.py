"""``dmf compare`` from the command line: tables, files and figures."""

import csv
import itertools
import json
import re

import pytest
from PIL import Image

from dmf_cli.cli.main import main
from dmf_cli.comparison import tables
from tests.latex import typeset

FILES = ("comparison.csv", "comparison.json", "comparison.md", "comparison.tex", "comparison_methods.tex")
FIGURES = ("differences.png", "images.png", "curves.png", "ranks.png")


@pytest.fixture
def compared(sweep, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    folder = sweep(6, 0.1, noise=0.01)
    assert main(["compare", str(folder)]) == 0
    return folder / "comparison", capsys.readouterr().out


def test_the_terminal_and_the_files_say_the_same(compared):
    folder, said = compared
    assert "weighting=var is better than weighting=fixed by 0.1" in " ".join(said.split())
    content = json.loads((folder / "comparison.json").read_text())
    with (folder / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["setting"] for row in rows] == ["weighting=var", "weighting=fixed"]
    for row, setting in zip(rows, content["settings"], strict=True):
        assert float(row["mean"]) == pytest.approx(setting["mean"], rel=1e-6)
        assert f"{setting['mean']:.3f}" in said
        assert len(setting["runs"]) == 6
    assert rows[1]["difference"] == ""
    text = (folder / "comparison.md").read_text()
    assert f"{content['settings'][0]['difference']:+.3f}" in text
    # A paper has the figures of the terminal, by names that are read aloud; the rest is in the CSV.
    printed = (folder / "comparison.tex").read_text().replace("$\\pm$", "±").replace("$-$", "-").splitlines()
    (line,) = [line for line in printed if line.strip().startswith("var &")]
    row = next(line for line in text.splitlines() if line.startswith("| weighting=var"))
    shown = dict(
        zip(tables.COLUMNS, (c.strip().replace("\\", "") for c in row.split("|")[1:-1]), strict=True)
    )
    names = ("n", "mean ± std", "difference", "its 95 % interval", "p seeds")
    assert [cell.strip(" \\") for cell in line.split("&")][1:] == [shown[name] for name in names]


def test_figures_are_drawn(compared):
    folder, _ = compared
    for name in FIGURES:
        with Image.open(folder / name) as image:
            assert min(image.size) > 100, name
    assert sorted(path.name for path in folder.iterdir()) == sorted((*FILES, *FIGURES))


def test_many_long_names_and_one_seed_are_drawn_and_shown(finished, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for i in range(9):
        folder = finished(f"a{i}", [0.5 + 0.01 * i, 0.6, 0.7], "fixed", 0, trainer__epochs=10**i).parent
    assert main(["compare", str(folder), "--baseline", "trainer.epochs=1", "--difference", "0.02"]) == 0
    said = capsys.readouterr().out
    assert "(p cannot fall below 1); it takes 9 paired seeds" in " ".join(said.split())
    assert all(len(line) <= 80 for line in said.splitlines()[:-1])
    assert (folder / "comparison" / "ranks.png").is_file()


@pytest.mark.parametrize(
    ("width", "setting", "missing"),
    [
        (80, ["loss=", "cbdice:0.62+", "bce:0.38", "weighting=var"], ""),
        (
            60,
            ["loss=cbdice:0.62+", "bce:0.38", "weighting=var"],
            "p seeds, p images, p both, g seeds, r images, rank, wins",
        ),
    ],
)
def test_a_narrow_terminal_shows_settings_and_whole_numbers_and_says_what_it_has_no_room_for(
    finished, capsys, monkeypatch, width, setting, missing
):
    monkeypatch.setenv("COLUMNS", str(width))
    other = {"loss__expression": "cbdice:0.62+bce:0.38"}
    for seed in range(2):
        finished(f"fixed{seed}", [0.5, 0.6, 0.7], "fixed", seed)
        folder = finished(f"var{seed}", [0.6, 0.7, 0.7 + 0.1 * seed], "var", seed, **other).parent
    assert main(["compare", str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()[:-1]
    assert max(map(len, said)) <= width
    assert "…" not in "".join(said)
    names = [line.split("  ")[0].strip() for line in said]
    start = names.index(setting[0])
    assert names[start : start + len(setting)] == setting
    assert len(re.findall(r"\[[+-]\d\.\d{3}, [+-]\d\.\d{3}\]", "".join(said))) == 1
    text = " ".join(" ".join(said).split())
    assert f"Too narrow here for {missing}: comparison.csv has them" in text or not missing
    assert ("Too narrow" in text) == bool(missing)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--difference", "-1"], "--difference is -1.0: give a number above 0"),
        (["--difference", "x"], "invalid float value: 'x'"),
        *(
            (["--margin", wrong], "give the smallest difference that matters")
            for wrong in ("0", "-1", "nan", "inf")
        ),
        (["--only", "dataset"], "--only is 'dataset': give KEY=VALUE"),
        (["--metrics", "iou"], "did you mean '--metric'"),
        (["-o", "/dev/null/x"], "cannot write /dev/null/x"),
    ],
    ids=str,
)
def test_wrong_options_are_one_line(sweep, capsys, options, says):
    assert main(["compare", str(sweep(2, 0.1)), *options]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_what_was_excluded_is_reported_and_not_in_the_caption(sweep, finished, capsys):
    folder = sweep(2, 0.1)
    (finished("broken", [0.5] * 20, "mad") / "status.json").write_text("{")
    assert main(["compare", str(folder)]) == 0
    assert "excluded: " in capsys.readouterr().out
    written = folder / "comparison"
    assert "broken" in (written / "comparison.md").read_text()
    assert (written / "comparison.tex").read_text().startswith("% excluded: ")


@pytest.mark.latex
@pytest.mark.parametrize(
    "changes", [{}, {"trainer__epochs": 40, "model__filters": 24}], ids=["short", "long"]
)
def test_latex_compiles_and_fits_the_page(finished, changes):
    for seed, strategy in itertools.product(range(3), ("fixed", "var")):
        finished(f"{strategy}{seed}", [0.5, 0.6 + 0.1 * (strategy == "var")], strategy, seed, **changes)
    folder = finished("mad_%&_#", [0.5, 0.7], "mad", 0).parent
    assert main(["compare", str(folder)]) == 0
    folder /= "comparison"
    typeset(folder, r"\input{comparison_methods.tex}\input{comparison.tex} See Table~\ref{tab:comparison}.")


def test_wrong_input_is_code_2(tmp_path, capsys):
    assert main(["compare", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no run in")
    assert error.count("\n") == 1
