"""The notebook for newcomers: every cell runs, from an installed `dmf` to the last figure."""

import json
import os
import sysconfig
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "docs" / "quickstart.ipynb"
TINY = (
    "dataset.count=24 dataset.size=16 dataset.image_size=16 model.filters=2 trainer.epochs=4 "
    "trainer.batch_size=4 report=false"
)


def test_it_is_stored_without_outputs() -> None:
    stored = json.loads(NOTEBOOK.read_text())
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    nbformat.validate(nbformat.from_dict(stored))


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    monkeypatch.setenv("QUICKSTART_SETTINGS", TINY)
    monkeypatch.setenv("QUICKSTART_SEEDS", "0")
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    # The figures of a notebook are drawn by its own backend.
    monkeypatch.delenv("MPLBACKEND")
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert "error:" not in "".join(said)
    assert "predictions/test.png" in said[3]
    assert "Result" in said[-2]
    assert "weight.cbdice" in said[-1]
    runs = list((tmp_path / "outputs/quickstart").glob("*/*/status.json"))
    assert {json.loads(run.read_text())["state"] for run in runs} == {"completed"}
