"""``dmf bundle``: one archive of runs for a paper."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser
from dmf_cli.errors import UsageError
from dmf_cli.terminal.say import say

_ABOUT = """\
Writes one zip archive of runs, for a paper or a reviewer: configs, splits with the hash of each image,
versions, history and steps, tables and scores of each image, and a manifest with the SHA-256 of each file.
No images; the networks with --weights. Folders of this machine are removed where nothing needs them. The same
runs give the same bytes.

dmf verify FILE.zip compares each file with the manifest, and trains the runs again if their images are there.

examples:
  dmf bundle outputs/sweep                            sweep.zip, here
  dmf bundle outputs/a outputs/b --output paper.zip --weights
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf bundle RUN [RUN ...] [--output FILE.zip] [--weights]``."""
    parser = Parser(prog="dmf bundle", description=_ABOUT)
    text = "run folders, or folders that hold some"
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help=text)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="the zip archive to write, which must not exist; default, of one RUN: its name and .zip, here",
    )
    parser.add_argument("--weights", action="store_true", help="with the best network of each run")
    options = parser.parse_args(list(arguments))
    output = options.output or _output(options.runs)
    from dmf_cli.verifying import bundle

    made = bundle.write(options.runs, output, weights=options.weights)
    say(*(f"warning: {one} still names a folder of this machine" for one in made.named), error=True)
    runs = f"{len(made.runs)} run{'s' * (len(made.runs) != 1)}"
    say(f"wrote {made.path}: {runs}, {made.files} files")
    return 0


def _output(runs: Sequence[Path]) -> Path:
    """The archive of one run, or of one folder that holds some, where none is named."""
    name = runs[0].resolve().name
    if len(runs) > 1 or not name:
        raise UsageError(key="--output", reason="is missing", hint="give a name, as --output paper.zip")
    return Path(f"{name}.zip")
