"""Fill docs/background/results.md from the folders of finished studies: tables, figures, command and machine.

Run: python scripts/results.py outputs/reproduce/quick outputs/reproduce/cbdice

A study is a folder of runs with the files of `dmf compare` in its `comparison` folder. What is generated
stands between `<!-- results: NAME -->` and `<!-- end: NAME -->`, NAME being the folder's; what people write
around it stays. A study that the page does not have yet is added at its end.
"""

import argparse
import datetime
import io
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import filled
from PIL import Image

from dmf_cli import conf_files
from dmf_cli.config.headers import read_header
from dmf_cli.run_folder.index import Index

DOCS = Path(__file__).resolve().parent.parent / "docs"
PACKAGES = ("tensorflow", "keras", "jax", "numpy", "scipy")
FIGURES = ("differences", "curves")
LOCAL = ("run_dir", "output_root", "dataset.data_dir")  # where files are on one machine
WIDTH, COLOURS = 900, 48  # of a figure on the page: a tenth of its size


def section(folder: Path, images: Path) -> tuple[str, str]:
    """The title of a study and what stands between its markers; its figures are written to ``images``."""
    runs = sorted(entry.path for entry in Index(folder).refresh() if entry.state == "completed")
    if not runs:
        raise SystemExit(f"{folder} holds no completed run: run the study first")
    tables = sorted(folder.glob("comparison/**/*.md"), key=lambda file: (len(file.parts), str(file)))
    if not tables:
        raise SystemExit(f"{folder} has no comparison: run `dmf compare {folder}` first")
    parts = [f"```sh\n{command(runs)}\n```", machine(runs)]
    for table in tables:
        parts += [_table(table, folder), *_figures(table.parent, folder, images)]
    return title(runs, folder.name), "\n\n".join(parts)


def command(runs: Sequence[Path]) -> str:
    """The sweep that makes these runs, from the commands of each; folders of this machine are ``PATH``."""
    given: dict[str, dict[str, None]] = {}
    for run in runs:
        for word in shlex.split(_json(run / "environment.json")["command"])[2:]:
            key, equals, value = word.partition("=")
            if equals and key not in LOCAL:
                given.setdefault(key, {})[value] = None
    for key, values in given.items():
        private = key == "dataset.dir" or any(value.startswith("/") for value in values)
        given[key] = {"PATH": None} if private else values
    words = [f"{key}={','.join(values)}" for key, values in given.items()]
    return shlex.join(["dmf", "train", "-m", *sorted(words, key=lambda w: not w.startswith("experiment="))])


def machine(runs: Sequence[Path]) -> str:
    """How many runs, for how long, on what, with which versions; several of one kind are all named."""
    found, spent = [_json(run / "environment.json") for run in runs], [_seconds(run) for run in runs]
    on = {f"{e['processor']}, {e['cores']} cores, {e['runtime']['device']}" for e in found}
    dmf = {f"dmf {e['dmf']} ({e['commit']}), Python {e['python']}" for e in found}
    versions = {f"{p} {e['packages'][p]}" for e in found for p in PACKAGES if p in e["packages"]}
    return (
        f"- {len(runs)} runs, {_clock(sum(spent))} in all, {_clock(sum(spent) / len(runs))} each\n"
        f"- machine: {'; '.join(sorted(on))}\n- versions: {'; '.join(sorted(dmf | versions))}"
    )


def _table(file: Path, study: Path) -> str:
    """The Markdown of one comparison with a smaller title and without folders of this machine."""
    text = file.read_text(encoding="utf-8").replace(f"{study}/", "").replace(f"{study.absolute()}/", "")
    text = re.sub(r"^# (.*)$", r"**\1**", text.strip(), count=1, flags=re.MULTILINE)
    kind = _kind(file.parent, study)
    short = re.sub(r"\n- (?:n: |p seeds: |g seeds: ).*", "", text)  # the same below each of several tables
    return text if kind == "comparison" else f"### {kind}\n\n{short}"


def _figures(made: Path, study: Path, images: Path) -> list[str]:
    """The figures of one comparison as links, copied to ``images`` in a palette."""
    lines, kind = [], _kind(made, study)
    for name in FIGURES:
        if (made / f"{name}.png").is_file():
            image: Any = Image.open(made / f"{name}.png").convert("RGB")
            image.thumbnail((WIDTH, WIDTH))
            buffer = io.BytesIO()
            image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                buffer, format="png", optimize=True
            )
            target = images / f"{re.sub(r'[^A-Za-z0-9]+', '-', f'{study.name}-{kind}-{name}')}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(buffer.getvalue())
            lines.append(f"![{study.name} {kind}: {name}](../images/results/{target.name})")
    return lines


def title(runs: Sequence[Path], name: str) -> str:
    """What the experiment's file says that it is, else its name."""
    words = shlex.split(_json(runs[0] / "environment.json")["command"])
    chosen = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    file = conf_files.conf_dir() / "experiment" / f"{chosen[-1] if chosen else ''}.yaml"
    return read_header(file).title.rstrip(".") if file.is_file() else name


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _kind(made: Path, study: Path) -> str:
    return "/".join(made.relative_to(study / "comparison").parts) or "comparison"


def _seconds(run: Path) -> float:
    status, moment = _json(run / "status.json"), datetime.datetime.fromisoformat
    return (moment(status["ended"]) - moment(status["started"])).total_seconds()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    parts = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
    return parts.removeprefix("0 min ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="runs, and comparison/")
    parser.add_argument("-o", "--output", type=Path, default=DOCS / "background/results.md", help="the page")
    given = parser.parse_args()
    for folder in given.folders:
        named, text = section(folder, given.output.parent.parent / "images" / "results")
        page = given.output.read_text(encoding="utf-8") if given.output.exists() else "# Results\n"
        given.output.write_text(filled(page, folder.name, text, named), encoding="utf-8")
        print(f"{given.output}: {folder.name}")


if __name__ == "__main__":
    main()
