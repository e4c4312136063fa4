"""The files of a comparison do nothing, whatever settings and images are called."""

import io
import shutil

import pytest

from dmf_cli.comparison import tables
from dmf_cli.comparison.compare import compare
from dmf_cli.escapes import hides
from dmf_cli.terminal.console import SafeConsole
from tests import inert
from tests.comparison.conftest import DICE

HARMLESS: dict[str, str] = {}  # the files with a name that means nothing to anything
CHECKS = {".csv": inert.check_csv, ".md": inert.check_markdown, ".tex": inert.check_latex}


def made(finished, folder, name):
    """The files of a comparison of two networks, of which one is called ``name``, as the dataset is."""
    for seed in range(2):
        for network in ("unet", name):
            scores = {f"{i}{name}": 0.3 + 0.05 * i + 0.1 * (network == "unet") for i in range(8)}
            label = network if network == "unet" else "other"
            finished(f"{label}{seed}", scores, seed=seed, dataset=name, model__name=network)
    comparison = compare([folder / "sweep"], metric=DICE)
    assert len(comparison.rows) == 2, comparison.skipped
    (folder / "written").mkdir()
    tables.write(folder / "written", comparison)
    shown = io.StringIO()
    SafeConsole(file=shown, width=300).print(tables.render(comparison))
    files = {file.name: file.read_text(encoding="utf-8") for file in (folder / "written").iterdir()}
    shutil.rmtree(folder / "written")
    return files, shown.getvalue()


# A config with a control character is refused, so none is the name of a setting.
@pytest.mark.parametrize("name", [one for one in inert.HOSTILE if not hides(one)])
def test_no_file_of_a_comparison_acts_on_a_name(finished, tmp_path, name):
    if not HARMLESS:
        HARMLESS.update(made(finished, tmp_path, "resunet")[0])
        shutil.rmtree(tmp_path / "sweep")
    files, shown = made(finished, tmp_path, name)
    checked = set()
    for file, text in files.items():
        suffix = f".{file.rpartition('.')[2]}"
        if suffix in CHECKS:
            CHECKS[suffix](text, HARMLESS[file])
            checked.add(suffix)
    assert checked == CHECKS.keys()
    inert.check_terminal(shown)
