"""``dmf report``: one HTML file that shows a run, or many, and needs nothing else."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli import machine
from dmf_cli.cli._parser import Parser
from dmf_cli.terminal.say import say

_ABOUT = """\
Writes one self-contained HTML file: what was run, scores, curves and weights to look at closely, the worst
images with a slider between truth and prediction, environment and command. Of several runs: their comparison.
Every run writes its own when it ends (report=false: not).

examples:
  dmf report outputs/busi                         outputs/busi/report.html
  dmf report outputs/sweep                        all runs below a folder, compared
  dmf report run1 run2 run3 --metric foreground.iou -o three.html
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf report PATHS... [-o FILE] [--metric NAME] [--by KEYS] [--baseline KEY=VALUE]``."""
    parser = Parser(prog="dmf report", description=_ABOUT)
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="a run, or folders that hold some"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="default: PATH/report.html, or report.html"
    )
    several = parser.add_argument_group("of several runs, as in dmf compare")
    several.add_argument(
        "--metric",
        metavar="NAME",
        help="a column of the tables per image; default: foreground.dice, of several classes mean.dice",
    )
    several.add_argument(
        "--by", metavar="KEYS", help="what makes a setting, with commas; default: all that differs"
    )
    several.add_argument(
        "--baseline", metavar="KEY=VALUE", help="default: weighting=fixed where there is one"
    )
    options = parser.parse_args(list(arguments))
    from dmf_cli import report

    by = [key.strip() for key in options.by.split(",")] if options.by else None
    comparison = {"metric": options.metric, "by": by, "baseline": options.baseline}
    written = report.write(options.paths, options.output, **comparison)
    for line in written.problems:
        say(f"note: {line}", error=True)
    size = machine.amount(written.file.stat().st_size)
    say(f"written to {written.file} ({size}, {written.seconds:.1f} s)")
    return 0
