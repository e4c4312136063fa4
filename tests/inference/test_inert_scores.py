"""Tables of scores do nothing, whatever classes, images and datasets are called."""

import io
import json

import pytest

from dmf_cli.inference import tables
from dmf_cli.terminal.console import SafeConsole
from tests import inert
from tests.inference.test_tables import evaluation

CHECKS = {".csv": inert.check_csv, ".md": inert.check_markdown, ".tex": inert.check_latex}


def made(folder, name):
    """The files of scores in which everything is called ``name``, and what the terminal shows."""
    folder.mkdir()
    scored = evaluation(("background", name), dataset=name)
    for row in scored.rows:
        row["id"] = name
    tables.write_metrics(folder, "test", scored)
    shown = io.StringIO()
    SafeConsole(file=shown, width=300).print(tables.render(scored))
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}, shown.getvalue()


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    return made(tmp_path_factory.mktemp("harmless") / "scores", "lesion")


@pytest.mark.parametrize("name", inert.HOSTILE)
def test_no_file_of_scores_acts_on_a_name(tmp_path, harmless, name):
    files, shown = made(tmp_path / "scores", name)
    assert files.keys() == harmless[0].keys()
    checked = set()
    for file, text in files.items():
        suffix = f".{file.rpartition('.')[2]}"
        if suffix in CHECKS:
            CHECKS[suffix](text, harmless[0][file])
            checked.add(suffix)
        elif suffix == ".json":
            json.loads(text)
    assert checked == CHECKS.keys()
    inert.check_terminal(shown)
