"""Times and amounts of memory as users write them: ``30m``, ``1h30m``, ``4G``."""

import re
from collections.abc import Sequence

from dmf_cli.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"M": 2**20, "G": 2**30, "T": 2**40}


WORDS = ("budget", "memory")  # of `dmf plan`: what is no key of a config
PLANNED = ("plan", *WORDS)  # of `dmf train plan=auto`, likewise


def seconds(text: str, key: str = "budget") -> float:
    """The seconds of a time.

    Raises:
        UsageError: ``text`` is no time above 0.

    Example:
        >>> seconds("1h30m")
        5400.0
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", text.lower())
    if not parts or not re.fullmatch(r"(\d+(\.\d+)?\s*[smhd]\s*)+", text.lower()):
        raise _unreadable(key, text, "a time with its unit, as 90s, 30m, 2h or 1h30m")
    total = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not total:
        raise _unreadable(key, text, "a time above 0, as 30m")
    return total


def memory(text: str, key: str = "memory") -> int:
    """The bytes of an amount of memory.

    Raises:
        UsageError: ``text`` is no amount above 0.

    Example:
        >>> memory("1.5G")
        1610612736
    """
    amount = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MGT])(i?B)?", text.strip(), re.IGNORECASE)
    size = float(amount[1]) * _BYTES[amount[2].upper()] if amount else 0
    if not size:
        raise _unreadable(key, text, "an amount with its unit, as 800M or 4G")
    return int(size)


def is_asked(words: Sequence[str]) -> bool:
    """Whether ``plan=auto`` is among ``words``.

    Raises:
        UsageError: a plan of another name, or words of one without it.
    """
    keys = [word.partition("=")[0] for word in words]
    asked = [word.partition("=")[2] for word, key in zip(words, keys, strict=True) if key == "plan"]
    own = next((key for key in keys if key in WORDS), None)
    if own and not asked:
        hint = f"add plan=auto, or use dmf plan {own}=..."
        raise UsageError(key=own, reason="belongs to plan=auto", hint=hint)
    if asked and set(asked) != {"auto"}:
        raise UsageError(key="plan", value=asked[-1], allowed=["auto"], hint="or see dmf plan --help")
    return bool(asked)


def _unreadable(key: str, text: str, allowed: str) -> UsageError:
    return UsageError(key=key, value=text, allowed=allowed)
