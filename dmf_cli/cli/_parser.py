"""An ``argparse`` parser that reports a wrong command line like everything else: in one line."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from dmf_cli.conf_files import own_configs as own_configs
from dmf_cli.errors import UnknownNameError, UsageError
from dmf_cli.terminal.wrapping import fit


class Parser(argparse.ArgumentParser):
    """``argparse.ArgumentParser`` whose errors are ``UsageError``."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        if "description" in options:
            options["description"] = fit(options["description"])
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise wrong_arguments(self, message)


def add_run(parser: Parser, overrides: str = "") -> None:
    """``RUN [KEY=VALUE ...] [--trust]``; ``overrides`` says which keys the command takes, empty: none."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of the run")
    text = "run the code in RUN/plugins, of a run with parts of somebody's own; plugins=FILE gives your copy"
    parser.add_argument("--trust", action="store_true", help=text)
    if overrides:
        parser.add_argument("overrides", nargs="*", default=[], metavar="KEY=VALUE", help=overrides)


def add_runs(parser: Parser, more: str = "KEY=VALUE", text: str = "keys of predict and metrics") -> None:
    """``RUN [RUN ...] [KEY=VALUE ...] [--trust]``, for :func:`runs_and_overrides`."""
    several = f"the folder of the run; several are one ensemble; then {more}: {text}"
    parser.add_argument("words", metavar="RUN", nargs="+", help=several)
    text = "run the code in RUN/plugins, of a run with parts of somebody's own; plugins=FILE gives your copy"
    parser.add_argument("--trust", action="store_true", help=text)


def runs_and_overrides(parser: Parser, words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The runs among ``words``, at least one, and the others, which are ``KEY=VALUE``."""
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    runs = [Path(word) for word in words if word not in overrides]
    if not runs:
        parser.error("the following arguments are required: RUN")
    return runs, overrides


def add_config_dir(parser: argparse.ArgumentParser) -> None:
    """The option ``--config-dir DIR``, as ``dmf train`` has it."""
    text = "one more folder with config groups of your own, such as DIR/dataset/mine.yaml"
    parser.add_argument("-cd", "--config-dir", metavar="DIR", type=Path, help=text)


def wrong_arguments(parser: argparse.ArgumentParser, message: str) -> UsageError:
    """argparse's ``message``, with the closest option for one that is unknown."""
    unknown = re.match(r"unrecognized arguments: (\S+)", message)
    if unknown and unknown[1].startswith("-"):
        options = [option for option in parser._option_string_actions if option.startswith("--")]
        return UnknownNameError("option", unknown[1], options, f"see {parser.prog} --help")
    return UsageError(f"{message}; see {parser.prog} --help")  # argparse's messages have a colon already
