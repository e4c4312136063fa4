"""The page that shows what commands print and draw, and the script that fills it."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from dmf_cli.cli.main import COMMANDS
from tests.docs.scripts import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/gallery.md").read_text()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load("gallery")


def test_a_scene_is_filled_with_what_its_command_prints_and_draws(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perform(command: str, folder: Path) -> str:
        Image.fromarray(np.zeros((90, 1600), np.uint8)).save(folder / "a.png")
        return f"\x1b[1mread\x1b[0m {folder}/a.png with {sys.prefix}/bin/python in {Path.home()}/x  \n"

    monkeypatch.setattr(script, "perform", perform)
    page = "# Page\n<!-- run: dmf train x=1 -->\n<!-- show: a.png -->\nold\n<!-- end -->\nkept\n"
    for _ in range(2):  # filled again, it stays the same
        page = script.SCENE.sub(lambda found: script.scene(found, tmp_path, tmp_path), page)
    assert "```sh\ndmf train x=1\n```" in page
    assert "```text\nread ./a.png with ENVIRONMENT/bin/python in ~/x\n```" in page
    assert "![a.png](../images/gallery/train-x-1-a.png)" in page
    assert page.count("kept") == 1
    assert "old" not in page
    with Image.open(tmp_path / "train-x-1-a.png") as image:
        assert image.width == script.WIDTH


def test_colours_become_an_image_that_fetches_nothing(script: ModuleType) -> None:
    text = script.drawn("\x1b[1mbold\x1b[0m", "dmf train")
    assert text.startswith("<svg")
    assert "bold" in text
    assert "url(" not in text.replace("url(#", "")


def test_a_long_output_loses_its_middle(script: ModuleType) -> None:
    lines = script.shortened("\n".join(map(str, range(100)))).splitlines()
    assert (lines[0], lines[-1]) == ("0", "99")
    assert "... (40 lines)" in lines
    assert len(lines) == script.LINES + 1


def test_a_command_that_fails_ends_the_script(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ended with code 2"):
        script.perform("dmf nothing", tmp_path)


def test_the_page_is_filled(script: ModuleType) -> None:
    commands = [found["command"].split()[1] for found in script.SCENE.finditer(PAGE)]
    assert set(commands) <= set(COMMANDS)
    assert {"train", "compare", "replay", "predict", "eval", "list", "doctor", "data"} <= set(commands)
    shown = re.findall(r"!\[.*?\]\((.*?)\)", PAGE)
    assert len(shown) > 5
    assert [name for name in shown if not (ROOT / "docs/reference" / name).is_file()] == []
