"""What a command says of ``experiment=NAME`` or ``recipe=NAME`` where it is not used as it stands."""

from collections.abc import Sequence

from dmf_cli import conf_files
from dmf_cli.errors import show
from dmf_cli.terminal.say import say


def note_excluded(overrides: Sequence[str]) -> None:
    """One line for each preset if an option that is typed takes the place of its keys of that group.

    Raises:
        ConfigError: an override is wrong.
    """
    words = [word.lstrip("+") for word in overrides]
    if not any(word.partition("=")[0] in conf_files.PRESETS for word in words):
        return
    from dmf_cli.config import composer

    for preset, gone in composer.left_out(overrides).items():
        groups = {key.partition(".")[0] for key in gone}
        typed = " ".join(word for word in words if word.partition("=")[0] in groups)
        keys = ", ".join(f"{key}={_shown(value)}" for key, value in gone.items())
        say(
            f"note: as {typed} is typed, {preset} is used without {keys}; type what you want to keep",
            error=True,
        )


def _shown(value: object) -> str:
    """As the user writes it."""
    if isinstance(value, list):
        return f"[{','.join(map(_shown, value))}]"
    return value if isinstance(value, str) else show(value)
