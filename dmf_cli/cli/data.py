"""``dmf data``: get, look at and check the images of a dataset; one file an action."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser
from dmf_cli.config.typed import Config
from dmf_cli.errors import UnknownNameError

# Name -> what it does; the action NAME is ``run(arguments) -> exit code`` in dmf_cli/cli/data_NAME.py.
ACTIONS = {
    "prepare": "download and unpack a dataset, or say where to get it",
    "show": "a picture of example images with their masks, and counts",
    "check": "unreadable, mismatched and near-duplicate images, class balance, leaks between splits",
}

_ABOUT = """\
Gets, shows and checks the images of a dataset. DATASET is given as for dmf train: dataset=NAME and its keys.

actions (dmf data ACTION --help explains one)
{actions}

examples:
{examples}
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf data ACTION dataset=NAME [KEY=VALUE ...]``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it only reads records here: no word of its devices
    known = actions()
    parser = Parser(prog="dmf data", description=_about(known))
    parser.add_argument("action", metavar="ACTION", help=f"one of {', '.join(known)}")
    words = list(arguments)
    action = parser.parse_args(words[:1]).action
    if action not in known:
        raise UnknownNameError("action", action, known, "see dmf data --help")
    return int(importlib.import_module(f"dmf_cli.cli.data_{action}").run(words[1:]))


def actions() -> list[str]:
    """The actions that there are."""
    return [name for name in ACTIONS if Path(__file__).with_name(f"data_{name}.py").is_file()]


def composed(overrides: Sequence[str], *, missing: bool = False) -> Config:
    """The whole config with ``dataset=NAME`` and other overrides.

    Args:
        overrides: as for ``dmf train``.
        missing: leave keys that must be given (``dataset.dir: ???``) as ``???`` instead of raising.

    Raises:
        ConfigError: for a wrong override.
    """
    from dmf_cli.cli._presets import note_excluded
    from dmf_cli.config import composer

    note_excluded(overrides)
    return composer.finish(composer.compose_raw(overrides), overrides, missing=missing)


def _about(known: Sequence[str]) -> str:
    return _ABOUT.format(
        actions="\n".join(f"  {name:<9} {ACTIONS[name]}" for name in known),
        examples="\n".join(f"  dmf data {name} dataset=busi" for name in known),
    )
