"""``dmf compare``: which settings differ, by how much, and whether that is more than chance."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser
from dmf_cli.errors import ConfigError
from dmf_cli.terminal.say import say

_ABOUT = """\
Groups finished runs by what differs in their configs, repeats being the seeds, and compares each group with
one baseline: means with intervals over seeds and images, tests, ranks. Writes tables and plots. The folds of
one k-fold split count as one run. No winner is named that other seeds or other images could undo.

examples:
  dmf compare outputs/2026-11-25                            everything below a folder
  dmf compare outputs/sweep --by weighting --baseline weighting=fixed
  dmf compare outputs/sweep --metric foreground.hd95 --only dataset=busi --difference 2
  dmf compare outputs/sweep --split val                     by the validation images, to choose a setting
  dmf compare outputs/sweep --margin 0.01                   is it equivalent within 0.01?
  dmf compare run1 run2 run3 run4 --metric foreground.iou -o tables
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf compare PATHS... [--by KEYS] [--baseline KEY=VALUE] [--metric NAME] ...``."""
    parser = Parser(prog="dmf compare", description=_ABOUT)
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="runs, or folders that hold some")
    parser.add_argument(
        "--by", metavar="KEYS", help="what makes a setting, with commas; default: all that differs"
    )
    parser.add_argument(
        "--baseline",
        metavar="KEY=VALUE",
        help="default: weighting=fixed where there is one; if several settings have it, each other is "
        "compared with the one that is like it in the rest",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="a column of the per-image tables; default: foreground.dice, of several classes mean.dice",
    )
    parser.add_argument(
        "--only",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="runs that have this; may be repeated",
    )
    parser.add_argument(
        "--difference",
        metavar="D",
        type=float,
        action="append",
        help="say how many seeds it takes to find a difference of D; may be repeated",
    )
    parser.add_argument(
        "--margin",
        metavar="D",
        type=float,
        help="differences below D do not matter: test whether settings are practically equivalent",
    )
    parser.add_argument(
        "--split",
        metavar="PART",
        default="test",
        help="test; or val, to choose a setting, or train: `dmf eval RUN split=val` writes their scores",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="default: PATH/comparison, or comparison"
    )
    options = parser.parse_args(list(arguments))
    from dmf_cli.comparison import compare, plots, tables
    from dmf_cli.files import disk_errors
    from dmf_cli.terminal.console import SafeConsole

    comparison = compare.compare(
        options.paths,
        metric=options.metric,
        by=[key.strip() for key in options.by.split(",")] if options.by else None,
        baseline=options.baseline,
        only=[_pair(word) for word in options.only],
        differences=_sizes(options.difference),
        margin=options.margin,
        part=options.split,
    )
    folder = options.output or _folder(options.paths)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tables.write(folder, comparison)
    SafeConsole().print(tables.render(comparison))
    for line in comparison.skipped:
        say(f"excluded: {line}")
    plots.write(folder, comparison)
    say(f"written to {folder}")
    return 0


def _pair(word: str) -> tuple[str, str]:
    key, sign, value = word.partition("=")
    if not (key and sign and value):
        raise ConfigError(key="--only", value=word, allowed="KEY=VALUE, as --only dataset=busi")
    return key, value


def _sizes(given: list[float] | None) -> list[float] | None:
    for size in given or ():
        if not 0 < size < float("inf"):
            number = "a number above 0, in units of the metric"
            raise ConfigError(key="--difference", value=size, allowed=number)
    return given


def _folder(paths: Sequence[Path]) -> Path:
    """Beside the runs when one folder holds them, else here."""
    from dmf_cli.run_folder import places

    one = len(paths) == 1 and not (paths[0] / places.CONFIG).exists()
    return paths[0] / "comparison" if one else Path("comparison")
