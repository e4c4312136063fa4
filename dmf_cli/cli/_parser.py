"""An ``argparse`` parser that reports a wrong command line like everything else: in one line."""

import argparse
import re
from typing import Any, NoReturn

from dmf_cli.cli._fit import fit
from dmf_cli.errors import UsageError, suggest


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


def wrong_arguments(parser: argparse.ArgumentParser, message: str) -> UsageError:
    """argparse's ``message``, with the closest option for one that is unknown."""
    unknown = re.match(r"unrecognized arguments: (\S+)", message)
    if unknown and unknown[1].startswith("-"):
        options = [option for option in parser._option_string_actions if option.startswith("--")]
        message = f"unknown option {unknown[1]!r}: {suggest(unknown[1], options)}"
    return UsageError(f"{message}; see {parser.prog} --help")
