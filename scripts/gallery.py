"""Fill docs/reference/gallery.md: what each command prints and draws, from small runs made on the spot.

Run: python scripts/gallery.py             (ten minutes on two cores; needs Chromium for the report)

The page itself says what to run, `<!-- run: COMMAND -->`, and which of the files that it leaves to show,
`<!-- show: FILE... -->`; with `<!-- colours -->` the output is shown as SVG. What follows is generated, up to
`<!-- end -->`. Commands run in turn in one folder, each with what the earlier ones left there.
"""

import argparse
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.text import Text

from dmf_cli.datasets.sources.phantom import scan

DOCS = Path(__file__).resolve().parent.parent / "docs"
SMALL = "dataset.count=240 dataset.size=64 dataset.image_size=64 model.filters=8 trainer.epochs=10"
WIDTH, COLOURS, COLUMNS, LINES = 800, 96, 100, 60
SCENE = re.compile(
    r"<!-- run: (?P<command>.*?) -->\n(?:<!-- show: (?P<show>.*?) -->\n)?(?P<colours><!-- colours -->\n)?"
    r".*?<!-- end -->",
    re.DOTALL,
)


def perform(command: str, folder: Path) -> str:
    """The output of ``command``, with its colours; ends the script if it fails."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "DMF_DISPLAY": "plain"}
    environment |= {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "DMF_CACHE": str(folder / "cache")}
    words = shlex.split(command.replace("$SMALL", SMALL))
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def neutral(text: str, folder: Path) -> str:
    """``text`` without the folders of this machine."""
    places = {str(folder): ".", sys.prefix: "ENVIRONMENT", str(DOCS.parent): "CHECKOUT"}
    for place, word in places.items():
        text = text.replace(place, word)
    text = text.replace(str(Path.home()), "~")
    return re.sub(r"(?<![\w.~-])/(?:tmp|work|opt|root|home)/\S*", "PATH", text)


def shortened(text: str) -> str:
    """``text`` without what trails its lines, and without the middle of many lines."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    if len(lines) > LINES:
        lines[LINES // 2 : -LINES // 2] = [f"... ({len(lines) - LINES} lines)"]
    return "\n".join(lines)


def drawn(text: str, title: str) -> str:
    """Coloured ``text`` as SVG, without the fonts that Rich would fetch from a server."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)


def picture(file: Path, target: Path) -> None:
    """A small copy of a plot, or of what a browser shows of a page."""
    if file.suffix == ".html":
        file = screenshot(file, file.with_suffix(".png"))
    with Image.open(file) as opened:
        image: Any = opened.convert("RGB")
    image.thumbnail((WIDTH, WIDTH * 2))
    image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)


def screenshot(page: Path, target: Path) -> Path:
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if program is None:
        raise SystemExit("the report needs a screenshot, and there is no Chromium here")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,1800"]
    command = [program, *options, "--virtual-time-budget=8000", f"--screenshot={target}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    return target


def scene(found: re.Match[str], folder: Path, images: Path) -> str:
    """The same scene with what its command prints and draws now."""
    command, show, colours = found["command"], found["show"], found["colours"]
    print(command, flush=True)
    output = neutral(perform(command, folder), folder)
    name = re.sub(r"\W+", "-", " ".join(command.split()[1:3])).strip("-")
    parts = [f"<!-- run: {command} -->\n" + (f"<!-- show: {show} -->\n" if show else "") + (colours or "")]
    parts.append(f"```sh\n{command}\n```\n\n")
    if colours:
        (images / f"{name}.svg").write_text(drawn(shortened(output), command[:80]), encoding="utf-8")
        parts.append(f"![What it prints](../images/gallery/{name}.svg)\n\n")
    else:
        parts.append(f"```text\n{shortened(Text.from_ansi(output).plain)}\n```\n\n")
    for pattern in (show or "").split():
        file = min(folder.glob(pattern))
        picture(file, images / f"{name}-{file.stem}.png")
        parts.append(f"![{pattern}](../images/gallery/{name}-{file.stem}.png)\n\n")
    return "".join([*parts, "<!-- end -->"])


def photos(folder: Path) -> None:
    """A few images without masks, for `dmf predict`."""
    folder.mkdir()
    for index in range(3):
        Image.fromarray(scan.generate(index, seed=9, size=96).image[..., 0]).save(folder / f"{index}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "-o", "--output", type=Path, default=DOCS / "reference/gallery.md", help="the page to fill"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only scenes whose command contains this")
    given = parser.parse_args()
    page = given.output
    images = page.parent.parent / "images" / "gallery"
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dmf-gallery-") as name:
        photos(Path(name) / "photos")

        def fill(found: re.Match[str]) -> str:
            return scene(found, Path(name), images) if given.only in found["command"] else found[0]

        page.write_text(SCENE.sub(fill, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
