"""The page of results: filled from the folders of studies, and what people wrote on it stays."""

import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from tests.docs.scripts import load

ROOT = Path(__file__).parents[2]
STATUS = {
    "state": "completed",
    "started": "2026-01-01T10:00:00+00:00",
    "ended": "2026-01-01T10:01:30+00:00",
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load("results")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Four completed runs, one that failed, and a comparison of two parts."""
    folder = tmp_path / "quick"
    for seed, name in ((0, "fixed"), (0, "var"), (1, "fixed"), (1, "var"), (2, "var")):
        run = folder / f"{name}{seed}"
        run.mkdir(parents=True)
        (run / "config.yaml").touch()
        state = "failed" if seed == 2 else "completed"
        (run / "status.json").write_text(json.dumps({**STATUS, "state": state}))
        words = f"experiment=reproduce_quick seed={seed} weighting={name} dataset.dir=/data/x output_root=/o"
        environment = {
            "command": f"dmf train {words}",
            "processor": "A processor",
            "cores": 2,
            "runtime": {"device": "cpu"},
            "dmf": "0.1.0",
            "commit": "abc",
            "python": "3.11.7",
            "packages": {"keras": "3.15.1", "rich": "15"},
        }
        (run / "environment.json").write_text(json.dumps(environment))
    for part in ("size=1", "size=2"):
        made = folder / "comparison" / part
        made.mkdir(parents=True)
        text = f"# {part}\n\n| a |\n|:--|\n| 1 |\n\n- excluded: {folder}/var2 is failed\n"
        (made / "comparison.md").write_text(text)
        Image.new("RGB", (1200, 400), "white").save(made / "differences.png")
    return folder


def test_a_study_becomes_tables_figures_command_machine_and_time(
    script: ModuleType, study: Path, tmp_path: Path
) -> None:
    title, text = script.section(study, tmp_path / "images/results")
    assert title.startswith("Quick: ")
    assert "dmf train -m experiment=reproduce_quick seed=0,1 weighting=fixed,var dataset.dir=PATH\n" in text
    assert "4 runs, 6 min 0 s in all, 1 min 30 s each" in text
    assert "A processor, 2 cores, cpu" in text
    assert "keras 3.15.1" in text
    assert "### size=2\n\n**size=2**\n\n| a |" in text
    assert "excluded: var2 is failed" in text
    assert str(tmp_path) not in text
    linked = re.findall(r"\(\.\./images/results/(.*?)\)", text)
    assert linked == ["quick-size-1-differences.png", "quick-size-2-differences.png"]
    for name in linked:
        with Image.open(tmp_path / "images/results" / name) as image:
            assert image.width == 900


def test_what_people_wrote_stays(script: ModuleType) -> None:
    page = script.filled("# Results\n", "quick", "one", "Quick")
    assert page.startswith("# Results\n\n## Quick\n\n<!-- results: quick -->\n\none\n")
    written = f"{page}\nNothing was found.\n"
    again = script.filled(written, "quick", "two", "Quick")
    assert again == written.replace("one", "two")


@pytest.mark.parametrize(
    ("lacks", "says"), [("runs", "no completed run"), ("comparison", "has no comparison")]
)
def test_an_unfinished_study_is_refused(script: ModuleType, study: Path, lacks: str, says: str) -> None:
    if lacks == "comparison":
        shutil.rmtree(study / "comparison")
    else:
        for file in study.glob("*/config.yaml"):
            file.unlink()
    with pytest.raises(SystemExit, match=says):
        script.section(study, study / "images")


def test_the_page_of_results_is_whole() -> None:
    """Every section is closed, and every figure is there."""
    page = (ROOT / "docs/background/results.md").read_text()
    assert re.findall(r"<!-- results: (.*?) -->", page) == re.findall(r"<!-- end: (.*?) -->", page)
    shown = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert [name for name in shown if not (ROOT / "docs/background" / name).is_file()] == []
