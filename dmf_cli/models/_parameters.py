"""Checks of options that several architectures share; each error names the key."""

from dmf_cli.errors import ConfigError

SMALLEST = 8  # the notebook pools down to 8x8


def checked_depth(input_shape: tuple[int, int, int], depth: int | str) -> int:
    """The number of halvings; ``auto``: while both sides stay at 8 or more.

    Raises:
        ConfigError: not a whole number of 1 or more, or more than the image has pixels for.
    """
    shortest = min(input_shape[:2])
    if depth == "auto":
        return max(1, (shortest // SMALLEST).bit_length() - 1)
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
        raise ConfigError(f"model.depth is {depth!r}: give a whole number of 1 or more, or auto")
    if 2**depth > shortest:
        raise ConfigError(
            f"model.depth is {depth} and the image is {input_shape[0]}x{input_shape[1]}: at most "
            f"{shortest.bit_length() - 1} levels fit; lower model.depth or raise dataset.image_size"
        )
    return depth


def check_options(*, dropout: float = 0.0, momentum: float = 0.9, **counts: int) -> None:
    """Raise ``ConfigError`` for a count below 1, a rate outside of [0, 1), a momentum outside of (0, 1)."""
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(f"model.{name} is {value}: give 1 or more")
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"model.dropout is {dropout}: give a number from 0 to below 1")
    if not 0.0 < momentum < 1.0:
        raise ConfigError(f"model.momentum is {momentum}: give a number between 0 and 1")
