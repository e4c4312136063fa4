"""``dmf resume``: go on with an interrupted or failed run in its own folder."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser

_ABOUT = """\
Goes on from the end of the last epoch whose checkpoint was written, in the same folder and with the same
config; the result is the one that the run would have given without the interruption.
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf resume RUN``."""
    parser = Parser(prog="dmf resume", description=_ABOUT)
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of the run")
    options = parser.parse_args(list(arguments))
    from dmf_cli import config

    config.load_run(options.run)  # a wrong folder is told before anything slow is imported
    from dmf_cli.training import trainer

    trainer.resume(options.run)
    return 0
