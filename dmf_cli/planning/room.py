"""Timings that fail for want of memory: a smaller setting may still have room."""

import errno

from dmf_cli.errors import DmfError, RunError
from dmf_cli.jobs.runner import MEMORY
from dmf_cli.training import endings

DISK = "no space left"  # TensorFlow calls that an exhausted resource too


class OutOfMemoryError(RunError):
    """A setting needs more memory than there is, of the machine or of its GPU."""


def of(error: BaseException) -> OutOfMemoryError | None:
    """The error for the timing of a setting, where ``error`` or one that caused it is a want of memory."""
    cause = next((one for one in _chain(error) if _is_memory(one)), None)
    if cause is None:
        return None
    hint = "give a smaller trainer.batch_size or dataset.image_size"
    said = endings.first_line(cause)
    return OutOfMemoryError(f"a setting ran out of memory with {type(cause).__name__} ({said})", hint=hint)


def _chain(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_chain(error.__cause__)]


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, DmfError):
        return False
    if isinstance(error, OSError):  # whose text may be any path
        return error.errno == errno.ENOMEM
    text = f"{type(error).__name__}: {endings.first_line(error)}"
    return MEMORY.search(text) is not None and DISK not in str(error).lower()
