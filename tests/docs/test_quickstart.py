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
TINY = (
    "dataset.count=24 dataset.size=16 dataset.image_size=16 model.filters=2 trainer.epochs=4 "
    "trainer.batch_size=4 report=false"
)


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
