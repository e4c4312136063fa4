"""Every error that ``dmf`` raises on purpose.

DmfError                    base; its text is one line: what is wrong, what was received,
|                           what is allowed, what to do
|-- UsageError              exit code 2: the command, the config or the input is wrong
|   |-- ConfigError         a config key or value (also a ValueError, for library users)
|   |   `-- UnknownNameError    a name that nothing answers to; names the closest one
|   |-- DatasetError        images, masks or splits that cannot be used
|   |   |-- UnreadableError     a file that is no image, or a part of one
|   |   |-- SizeMismatchError   a mask of another size than its image
|   |   `-- LabelError          a mask that holds what no class has
|   `-- RunFolderError      a run folder that exists, is missing or is not a run
`-- RunError                exit code 1: a run that was right to start and failed
    |-- NonFiniteError      a loss became NaN or infinite
    |-- DownloadError       a dataset cannot be downloaded or unpacked
    `-- CheckpointError     a checkpoint is missing, damaged or of another model
"""

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any


class DmfError(Exception):
    """Base of all errors that are reported to the user in one line."""

    exit_code = 1


class UsageError(DmfError):
    """The command, the config or the input is wrong; nothing was started."""

    exit_code = 2


class ConfigError(UsageError, ValueError):
    """A config key or value that is unknown, of the wrong type or out of range."""


class UnknownNameError(ConfigError):
    """A name that nothing answers to: ``UnknownNameError("loss", "dcie", ["dice", "bce"])``."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str], do: str = ""):
        self.kind, self.name, self.allowed, self.do = kind, name, sorted(allowed), do
        hint = f"; {do}" if do else ""
        super().__init__(f"unknown {kind} {name!r}: {suggest(name, self.allowed)}{hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is rebuilt from its message alone: without this one, a sweep's worker that
        # raises it would break the pool instead of reporting it.
        return type(self), (self.kind, self.name, self.allowed, self.do)


class DatasetError(UsageError):
    """Images, masks or splits that cannot be used."""


class UnreadableError(DatasetError):
    """A file that is no image, or only a part of one."""


class SizeMismatchError(DatasetError):
    """A mask of another size than its image."""


class LabelError(DatasetError):
    """A mask that holds values or colours that no class has."""


class RunFolderError(UsageError):
    """A run folder that already exists, is missing or is not a run."""


class RunError(DmfError):
    """A run that was right to start and failed."""


class NonFiniteError(RunError):
    """A loss became NaN or infinite."""


class DownloadError(RunError):
    """A dataset that cannot be downloaded or unpacked."""


class CheckpointError(RunError):
    """A checkpoint is missing, damaged or belongs to another model."""


def debugging() -> bool:
    """Whether ``DMF_DEBUG`` asks for tracebacks: set, and to no word for no."""
    return os.environ.get("DMF_DEBUG", "").strip().lower() not in ("", "0", "false", "no", "off")


def suggest(name: str, allowed: Iterable[str]) -> str:
    """The closest allowed name first, then all of them: ``did you mean 'dice'? (allowed: ...)``."""
    allowed = list(allowed)
    close = _closest(str(name), allowed)
    listing = f"allowed: {', '.join(allowed)}"
    return f"did you mean {close!r}? ({listing})" if close else listing


def _closest(name: str, allowed: Sequence[str]) -> str | None:
    """The name that is meant, if any is close; capitals do not matter."""
    folded = {str(one).lower(): one for one in reversed(allowed)}
    name = name.lower()
    words = _words(name)
    # By its letters, val_dice would be nearer to val_loss.cbdice than to val_foreground_dice.
    holding = [one for low, one in folded.items() if words < _words(low)] if len(words) > 1 else []
    if len(holding) == 1:
        return holding[0]
    close = difflib.get_close_matches(name, folded, n=1, cutoff=0.5)
    return folded[close[0]] if close else None


def _words(name: str) -> set[str]:
    return set(re.split(r"[._]", name))
