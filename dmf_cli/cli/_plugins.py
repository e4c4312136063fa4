"""``plugins=`` and the settings of a project, for every command, before it looks at its words."""

import re
from collections.abc import Sequence

from dmf_cli import conf_files
from dmf_cli.errors import UsageError
from dmf_cli.parts import plugins, project

# Commands that hand the words on to other processes, or print them; the others need the parts alone.
COMPOSING = ("train", "tune", "plan")
WITHOUT = ("compare", "report", "doctor", "completion", "new")
CONFIG_DIR = ("train", "tune", "plan", "eval", "list", "replay", "data", "check")


def applied(command: str, words: Sequence[str]) -> list[str]:
    """``words`` of a command with the plugins and the config folder of the project; the plugins are active.

    Raises:
        PluginError: one of them cannot be used.
        ConfigError: the settings of the project are wrong.
    """
    if command in WITHOUT:
        return list(words)
    if slip := next((word for word in words if word.startswith("plugin=")), None):
        hint = f"did you mean plugins={slip.partition('=')[2]}?"
        raise UsageError("unknown key 'plugin'", key="plugin", hint=hint)
    settings, typed = project.read(), [word for word in words if _is_plugins(word)]
    rest = [word for word in words if word not in typed]
    used = plugins.activate(settings.plugins, settings.file.parent) if settings.file else []
    used += plugins.activate([one for word in typed for one in plugins.written(word.partition("=")[2])])
    conf_files.check_plugins()
    if used and command in COMPOSING:
        rest.append(word(used))
    if settings.config_dir and command in CONFIG_DIR and not {"--config-dir", "-cd"} & set(words):
        rest += ["--config-dir", str(settings.config_dir)]
    return rest


def word(used: Sequence[plugins.Plugin]) -> str:
    """``plugins=[...]`` with these plugins, as any process finds them."""
    places = dict.fromkeys(one.name if one.is_module else str(one.file) for one in used)
    return f"plugins=[{','.join(map(_quoted, places))}]"


def _quoted(place: str) -> str:
    """As Hydra's grammar reads it."""
    if re.fullmatch(r"[\w./-]+", place):
        return place
    escaped = place.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _is_plugins(word: str) -> bool:
    return word.lstrip("+").startswith("plugins=")
