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
|   |-- RunFolderError      a run folder that exists, is missing or is not a run
|   `-- PluginError         a file with parts of the user's own that cannot be used
`-- RunError                exit code 1: a run that was right to start and failed
    |-- NonFiniteError      a loss became NaN or infinite
    |-- DownloadError       a dataset cannot be downloaded or unpacked
    `-- CheckpointError     a checkpoint is missing, damaged or of another model
"""

import difflib
import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dmf_cli.escapes import visible_lines

_PLAIN = (str, int, float, list, tuple, dict, Path, type(None))


class DmfError(Exception):
    """Base of all errors that are reported to the user in one line.

    Its fields say what happened, and the line is made of them here, always in this order:
    what is wrong, what was received, what is allowed, what to do.

    Args:
        what: the first half of the line, where the other fields alone do not make it.
        key: the config key, argument or parameter that is wrong.
        path: the file or folder that is wrong.
        value: what was received; for a ``key``.
        reason: what is wrong with it, as words that follow: ``which sums to 1.2``, ``is missing``.
        allowed: the names that are allowed, of which the closest is suggested, or a description of what is
            allowed, which follows the word "give".
        hint: what to do, beside or in place of ``allowed``.

    Example:
        >>> str(DmfError(key="metrics.bins", value=0, allowed="a whole number of 1 or above"))
        'metrics.bins is 0: give a whole number of 1 or above'
        >>> str(DmfError(path="last.npz", reason="is missing", hint="start a new run"))
        'last.npz is missing: start a new run'
    """

    exit_code = 1

    def __init__(
        self,
        what: str = "",
        *,
        key: str | None = None,
        path: Path | str | None = None,
        value: Any = ...,
        reason: str = "",
        allowed: Iterable[str] | str | None = None,
        hint: str = "",
    ):
        self.key, self.path, self.value, self.reason, self.hint = key, path, value, reason, hint
        self.allowed = allowed if isinstance(allowed, str) or allowed is None else list(allowed)
        self.what = what or self._subject()
        super().__init__(visible_lines(self._line()))

    def _subject(self) -> str:
        subject = str(self.path) if self.key is None else self.key
        if self.value is ...:
            return f"{subject} {self.reason}"
        return f"{subject} is {show(self.value)}" + (f", {self.reason}" if self.reason else "")

    def _line(self) -> str:
        if isinstance(self.allowed, str):
            permitted = f"give {self.allowed}"
        else:
            permitted = "" if self.allowed is None else suggest(self.value, self.allowed)
        what_to_do = "; ".join(filter(None, (permitted, self.hint)))
        return f"{self.what}: {what_to_do}" if what_to_do else self.what

    def within(self, place: str) -> Self:
        """The same error, with all its fields, whose line begins with ``place``, as the id of an image."""
        return type(self)(**{**self._fields(), "what": f"{place}: {self.what}"})

    def but(self, hint: str) -> Self:
        """The same error, with all its fields, and ``hint`` as the last thing to do."""
        return type(self)(**{**self._fields(), "hint": "; ".join(filter(None, (self.hint, hint)))})

    def in_run(self) -> "DmfError":
        """The same error where a run had begun: it failed, whatever was wrong (exit code 1)."""
        return RunError(**self._fields()) if isinstance(self, UsageError) else self

    def _fields(self) -> dict[str, Any]:
        names = ("what", "key", "path", "value", "reason", "allowed", "hint")
        return {name: getattr(self, name) for name in names}

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is rebuilt from its message alone: without this one, a sweep's worker that
        # raises it would break the pool instead of reporting it.
        # What cannot be sent, such as a function, is sent in words.
        fields = self._fields()
        if not isinstance(self.value, _PLAIN):
            fields["value"] = ... if self.value is ... else show(self.value)
        return functools.partial(type(self), **fields), ()


class UsageError(DmfError):
    """The command, the config or the input is wrong; nothing was started."""

    exit_code = 2


class ConfigError(UsageError, ValueError):
    """A config key or value that is unknown, of the wrong type or out of range."""


class UnknownNameError(ConfigError):
    """A name that nothing answers to: ``UnknownNameError("loss", "dcie", ["dice", "bce"])``.

    Its ``key`` is the kind of name, ``loss`` or ``optimizer.name``, and its ``value`` the given name.
    """

    def __init__(
        self, key: str, value: Any, allowed: Iterable[str], hint: str = "", what: str = "", **_: Any
    ):
        super().__init__(
            what or f"unknown {key} {value!r}", key=key, value=value, allowed=sorted(allowed), hint=hint
        )


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


class PluginError(UsageError):
    """A file with parts of the user's own (losses, networks, ...) that cannot be used, and where in it."""


class RunError(DmfError):
    """A run that was right to start and failed."""


class NonFiniteError(RunError):
    """A loss became NaN or infinite.

    Attributes:
        steps: the rows of the epoch in which it did, as ``steps.csv`` has them.
        in_validation: whether all their losses were finite, and only that of the validation was not.
    """

    steps: Sequence[Mapping[str, float]] = ()
    in_validation: bool = False


class DownloadError(RunError):
    """A dataset that cannot be downloaded or unpacked."""


class CheckpointError(RunError):
    """A checkpoint is missing, damaged or belongs to another model."""


def debugging() -> bool:
    """Whether ``DMF_DEBUG`` asks for tracebacks: set, and to no word for no."""
    return os.environ.get("DMF_DEBUG", "").strip().lower() not in ("", "0", "false", "no", "off")


def show(value: Any) -> str:
    """``value`` as the user would write it."""
    value = value.item() if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0 else value
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return str(value) if isinstance(value, Path) else repr(value)


def suggest(name: Any, allowed: Iterable[str]) -> str:
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
