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
    """``argparse.ArgumentParser`` whose errors are ``UsageError``.

    Args:
        settings: of a command that takes those of ``dmf train``, the other keys that it takes; None: it takes
            no settings.
        options: of ``argparse.ArgumentParser``.
    """

    def __init__(self, *, settings: Sequence[str] | None = None, **options: Any) -> None:
        self.settings, self._typed = settings, list[str]()
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        if "description" in options:
            options["description"] = fit(options["description"])
        super().__init__(allow_abbrev=False, **options)

    def parse_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As that of ``argparse``; an error may then look at the words that follow an option."""
        self._typed = list(args or ())
        return super().parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise wrong_arguments(self, message, self._typed, self.settings)


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


def wrong_arguments(
    parser: argparse.ArgumentParser, message: str, typed: Sequence[str], settings: Sequence[str] | None
) -> UsageError:
    """argparse's ``message``, with the closest option for one that is unknown, or the setting that is meant.

    Args:
        parser: whose message it is.
        message: it.
        typed: the words of the command.
        settings: see :class:`Parser`.
    """
    unknown = re.match(r"unrecognized arguments: (\S+)", message)
    if unknown and unknown[1].startswith("-"):
        options = [option for option in parser._option_string_actions if option.startswith("--")]
        if settings is not None:
            from dmf_cli.cli import _dashes

            return _dashes.unknown_option(unknown[1], typed, options, settings, f"{parser.prog} --help")
        return UnknownNameError("option", unknown[1], options, f"see {parser.prog} --help")
    return UsageError(f"{message}; see {parser.prog} --help")  # argparse's messages have a colon already
