"""Checks of options that several architectures share; each error names the key."""

from dmf_cli.errors import ConfigError

SMALLEST = 8  # the notebook pools down to 8x8


def checked_depth(input_shape: tuple[int, int, int], depth: int | str, smallest: int = SMALLEST) -> int:
    """The number of halvings; ``auto``: while both sides stay at ``smallest`` or more.

    Raises:
        ConfigError: not a whole number of 1 or above, or more than the image has pixels for.
    """
    shortest = min(input_shape[:2])
    if depth == "auto":
        return max(1, (shortest // smallest).bit_length() - 1)
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
        allowed = "a whole number of 1 or above, or auto"
        raise ConfigError(key="model.depth", value=depth, allowed=allowed)
    if 2**depth > shortest:
        allowed = f"{shortest.bit_length() - 1} or less, or a larger dataset.image_size"
        reason = f"and the image is {input_shape[0]}x{input_shape[1]}"
        raise ConfigError(key="model.depth", value=depth, reason=reason, allowed=allowed)
    return depth


def check_options(*, dropout: float = 0.0, momentum: float = 0.9, **counts: int) -> None:
    """Raise ``ConfigError`` for a count below 1, a rate outside of [0, 1), a momentum outside of (0, 1)."""
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(key=f"model.{name}", value=value, allowed="a whole number of 1 or above")
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(key="model.dropout", value=dropout, allowed="a number of 0 or above and below 1")
    if not 0.0 < momentum < 1.0:
        raise ConfigError(key="model.momentum", value=momentum, allowed="a number above 0 and below 1")
