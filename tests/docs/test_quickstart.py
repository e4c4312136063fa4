"""The notebook for newcomers: every cell runs, from an installed `dmf` to the last figure."""

import contextlib
import json
import os
import sysconfig
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs/tutorials/quickstart.ipynb"
LAST = ("\nrun", "\nruns", "\ncomparison")  # the last line of a cell, which the notebook shows
TINY = {
    "dataset": {"count": 24, "size": 16, "image_size": 16},
    "model": {"filters": 2},
    "trainer": {"epochs": 4, "batch_size": 4},
    "report": False,
}


def test_it_is_stored_without_outputs() -> None:
    stored = json.loads(NOTEBOOK.read_text())
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    nbformat.validate(nbformat.from_dict(stored))


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ([], None),
        (["docs/tutorials/dmf_cli-1-py3-none-any.whl"], "dmf_cli-1-py3-none-any.whl"),
        (["pyproject.toml"], "../.."),
    ],
)
def test_it_finds_what_to_install_on_a_machine_without_dmf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], source: str | None
) -> None:
    """On Colab there is no checkout around the notebook."""
    (code,) = [cell["source"] for cell in json.loads(NOTEBOOK.read_text())["cells"] if "%pip" in str(cell)]
    text = "".join(code).replace("%pip install --quiet {SOURCE}", "installed.append(SOURCE)")
    (tmp_path / "docs/tutorials").mkdir(parents=True)
    for file in files:
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path / "docs/tutorials")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    installed: list[str] = []
    with contextlib.nullcontext() if source else pytest.raises(FileNotFoundError, match="upload the wheel"):
        exec(text.replace("!dmf --version", ""), {"installed": installed})
    assert installed == ([source] if source else [])


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    monkeypatch.setenv("QUICKSTART_SETTINGS", json.dumps(TINY))
    monkeypatch.setenv("QUICKSTART_SEEDS", "[0]")
    monkeypatch.delenv("DMF_DISPLAY", raising=False)
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    # The figures of a notebook are drawn by its own backend.
    monkeypatch.delenv("MPLBACKEND")
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    said = ["".join(output.get("text", "") for output in cell.outputs) for cell in code]
    pages = [[o["data"].get("text/html", "") for o in cell.outputs if "data" in o] for cell in code]
    assert "error:" not in "".join(said)
    (train, sweep, compare) = (pages[i] for i, cell in enumerate(code) if cell.source.endswith(LAST))
    # What takes the time, the banner, the panel, the scores, the folder, and the run itself.
    assert len(train) <= 8
    assert any("4/4" in page for page in train)
    assert "data:image/png" in train[-1]
    assert "test dice" in sweep[-1]
    assert "weighting=fixed" in compare[-1]
    assert "\x1b" not in json.dumps(pages)
    assert "predictions/test.png" in "".join(said)
    assert "weight.cbdice" in said[-1]
    runs = list((tmp_path / "outputs/quickstart").glob("*/*/status.json"))
    assert [json.loads(run.read_text())["state"] for run in runs] == ["completed"] * 3
