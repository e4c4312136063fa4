"""The settings of a project, which nobody has to type: ``dmf.toml``, or ``[tool.dmf]`` of ``pyproject.toml``.

    plugins = ["my.py", "mylab.losses"]
    config_dir = "configs"

Paths are relative to the file. The first such file in the current folder or above it counts;
those of a run folder do not.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli.errors import ConfigError, UnknownNameError

OWN, SHARED = "dmf.toml", "pyproject.toml"
KEYS = ("plugins", "config_dir")


@dataclasses.dataclass(frozen=True)
class Project:
    """What the settings say; nothing where there are none.

    Args:
        file: where they are written.
        plugins: files and modules, as they are written there.
        config_dir: a folder of own YAML, absolute.
    """

    file: Path | None = None
    plugins: tuple[str, ...] = ()
    config_dir: Path | None = None


def read(folder: Path | None = None) -> Project:
    """The settings of the project that ``folder`` (default: the current one) belongs to.

    Raises:
        ConfigError: the file is no TOML, or has an unknown key or a wrong value.
    """
    try:
        here = (folder or Path.cwd()).absolute()
    except OSError:  # it was deleted while the process runs
        return Project()
    places = [here, *here.parents]
    runs = [number for number, place in enumerate(places) if _is_run(place)]
    # What lies in a run folder came with the run, perhaps from a stranger.
    for place in places[runs[-1] + 1 :] if runs else places:
        for name in (OWN, SHARED):
            settings = _settings(place / name)
            if settings is not None:
                return _project(place / name, settings)
    return Project()


def _is_run(folder: Path) -> bool:
    try:
        return (folder / "config.yaml").is_file() and (folder / "status.json").is_file()
    except OSError:
        return False


def _settings(file: Path) -> Mapping[str, Any] | None:
    """The settings in a file; None if it has none."""
    try:
        text = file.read_bytes() if file.is_file() else None
    except OSError:
        return None
    if text is None or (file.name == SHARED and b"tool.dmf" not in text):
        return None
    try:
        found: Any = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path=file, reason=f"is not valid TOML ({error})", hint="mend it") from None
    if file.name == SHARED:
        found = found.get("tool", {}).get("dmf")
    return found if isinstance(found, dict) else None


def _project(file: Path, settings: Mapping[str, Any]) -> Project:
    if unknown := [key for key in settings if key not in KEYS]:
        raise UnknownNameError(f"key of {file}", unknown[0], KEYS)
    plugins, folder = settings.get("plugins", []), settings.get("config_dir")
    plugins = [plugins] if isinstance(plugins, str) else plugins
    if not isinstance(plugins, list) or not all(isinstance(one, str) and one for one in plugins):
        raise ConfigError(
            f"{file}: plugins is {plugins!r}",
            key="plugins",
            value=plugins,
            path=file,
            allowed='a list of files and modules, as ["my.py", "mylab.losses"]',
        )
    if folder is not None and not (isinstance(folder, str) and (file.parent / folder).is_dir()):
        raise ConfigError(
            f"{file}: config_dir is {folder!r}",
            key="config_dir",
            value=folder,
            path=file,
            allowed="the folder of your YAML files, relative to the file",
        )
    place = None if folder is None else (file.parent / folder).resolve()
    return Project(file, tuple(plugins), place)
