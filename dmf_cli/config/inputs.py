"""Keys of a ``dataset`` group that no single type tells: held against a rule before any image is opened."""

from collections.abc import Sequence
from typing import Any

from dmf_cli.errors import ConfigError


def check_classes(classes: Any) -> None:
    """Whether ``dataset.classes`` names a background and at least one class, 256 in all at most, each once.

    Args:
        classes: a list of names; anything else is told, also a text, which is a sequence of letters.

    Raises:
        ConfigError: it does not; two classes of one name would share a score.
    """
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ConfigError(
            f"dataset.classes is {classes!r}: give a list of names, background first, as [background,lesion]"
        )
    names = [str(name) for name in classes]
    if not 2 <= len(names) <= 256:
        raise ConfigError(
            f"dataset.classes is {names}: name the background and at least one class, at most 255"
        )
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ConfigError(
            f"dataset.classes is {names}: {twice!r} is there twice, give each class its own name"
        )


def as_size(image_size: Any) -> tuple[int, int]:
    """``128`` or ``[height, width]`` as (height, width); raises ``ConfigError`` for anything else."""
    several = isinstance(image_size, Sequence) and not isinstance(image_size, str)
    sides = tuple(image_size) if several else (image_size, image_size)
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in sides)
    if len(sides) != 2 or not whole:
        raise ConfigError(
            f"dataset.image_size is {image_size!r}: give one side in pixels, as 128, or [height,width], as "
            "[96,128]"
        )
    return sides[0], sides[1]
