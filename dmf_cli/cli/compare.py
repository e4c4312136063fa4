"""``dmf compare``: which settings differ, by how much, and whether that is more than chance."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser

_ABOUT = """\
Groups finished runs by what differs in their configs, repeats being the seeds, and holds each group against
one baseline: means with intervals over seeds and images, tests, ranks. Writes tables and plots.

examples:
  dmf compare outputs/2026-11-25                            everything below a folder
  dmf compare outputs/sweep --by weighting --baseline weighting=fixed
  dmf compare run1 run2 run3 run4 --metric foreground.iou -o tables
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf compare PATHS... [--by KEYS] [--baseline KEY=VALUE] [--metric NAME] [-o DIR]``."""
    parser = Parser(prog="dmf compare", description=_ABOUT)
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="runs, or folders that hold some")
    parser.add_argument(
        "--by", metavar="KEYS", help="what makes a setting, with commas; default: all that differs"
    )
    parser.add_argument("--baseline", metavar="KEY=VALUE", help="default: weighting=fixed where there is one")
    parser.add_argument(
        "--metric", default="foreground.dice", metavar="NAME", help="a column of the per-image tables"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="default: PATH/comparison, or comparison"
    )
    options = parser.parse_args(list(arguments))
    from rich.console import Console

    from dmf_cli.results.atomic import told
    from dmf_cli.results.comparison import compare, plots, tables

    by = [key.strip() for key in options.by.split(",")] if options.by else None
    found = compare.compare(options.paths, metric=options.metric, by=by, baseline=options.baseline)
    folder = options.output or _folder(options.paths)
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tables.write(folder, found)
    Console().print(tables.render(found))
    plots.write(folder, found)
    print(f"written to {folder}")
    return 0


def _folder(paths: Sequence[Path]) -> Path:
    """Beside the runs when one folder holds them, else here."""
    from dmf_cli.results import places

    one = len(paths) == 1 and not (paths[0] / places.CONFIG).exists()
    return paths[0] / "comparison" if one else Path("comparison")
