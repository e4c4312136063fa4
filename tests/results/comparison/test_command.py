"""``dmf compare`` from the command line: tables, files and figures."""

import csv
import json
import subprocess

import pytest
from PIL import Image

from dmf_cli.cli.main import main

FILES = ("comparison.csv", "comparison.json", "comparison.md", "comparison.tex")
FIGURES = ("differences.png", "images.png", "curves.png", "ranks.png")


@pytest.fixture
def compared(sweep, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    folder = sweep(6, 0.1, noise=0.01)
    assert main(["compare", str(folder)]) == 0
    return folder / "comparison", capsys.readouterr().out


def test_the_terminal_and_the_files_say_the_same(compared):
    folder, said = compared
    assert "weighting=var is better than weighting=fixed (p = 0.0312)" in " ".join(said.split())
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
    assert r"\toprule" in (folder / "comparison.tex").read_text()


def test_figures_are_drawn(compared):
    folder, _ = compared
    for name in FIGURES:
        with Image.open(folder / name) as image:
            assert min(image.size) > 100, name
    assert sorted(path.name for path in folder.iterdir()) == sorted((*FILES, *FIGURES))


@pytest.mark.latex
def test_latex_compiles(compared, tmp_path):
    folder, _ = compared
    page = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{comparison.tex}\end{document}"
    (folder / "page.tex").write_text(page)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_wrong_input_is_code_2(tmp_path, capsys):
    assert main(["compare", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no run in")
    assert error.count("\n") == 1
