"""Pictures of a report for the documents: its head, curves in the dark, and the worst images on a phone.

Run: python scripts/shoot_report.py RUN docs/images     (needs Chromium)
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the browser of the tests

from dmf_cli import report  # noqa: E402
from tests.report.browser import Page, open_page  # noqa: E402

COLOURS = 256  # of the palette: a page has few, and the file stays small


def shoot(page: Page, file: Path, top: str, target: Path, **how: int | bool) -> None:
    """The part of ``file`` that begins at the element ``top``."""
    page.go(file, **how)
    page.call(
        "Runtime.evaluate",
        expression=f"document.querySelector({top!r}).scrollIntoView({{behavior: 'instant'}})",
    )
    page.js("new Promise(done => setTimeout(done, 1500))")  # charts draw when they come into view
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        page.screenshot(shot, whole=False)
        with Image.open(io.BytesIO(shot.read_bytes())) as image:
            picture = image.convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run, or a folder of runs")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, open_page(Path(place)) as page:
        file = report.write([options.run], Path(place) / "report.html").file
        shoot(page, file, "main", options.folder / "report.png", width=1100, height=800)
        shoot(page, file, "#group-2", options.folder / "report_dark.png", width=1100, height=800, dark=True)
        shoot(page, file, "#cases", options.folder / "report_phone.png", width=390, height=844)


if __name__ == "__main__":
    main()
