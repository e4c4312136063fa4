"""The plugins of a run: their sources are kept in its folder, and run from there only if the user says so.

    RUN/plugins/NAME/...    the files of the plugin NAME, as they lay below the folder of its imports

``config.yaml`` has the hash of each; :func:`use` compares.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli.config.typed import Config
from dmf_cli.errors import PluginError, RunFolderError
from dmf_cli.files import disk_errors, write_atomic
from dmf_cli.parts import given, plugins, sources
from dmf_cli.parts.plugins import Plugin
from dmf_cli.run_folder import places

FOLDER = "plugins"
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def store(run: Path, config: Config) -> None:
    """Copy the sources of the plugins that ``config`` uses into the folder of its run.

    Raises:
        RunFolderError: they cannot be written.
    """
    known = {one.name: one for one in plugins.active()}
    for name in config.plugins:
        for place, file in known[name].files.items():
            target = run / FOLDER / name / place
            with disk_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, file.read_bytes())
        copies = {place: run / FOLDER / name / place for place in known[name].files}
        if copies and sources.content(copies) != config.plugins[name]["hash"]:
            raise _changed(known[name], config.plugins[name]["hash"], sources.content(copies))


def use(run: Path, config: Config, *, trust: bool = False) -> None:
    """Make the plugins of the run in ``run`` known; those that are not active yet come from its folder.

    Args:
        run: its folder.
        config: its config.
        trust: whether code of the run folder may be run. If not, it is read only, and whatever needs to run
            it raises ``PluginError``.

    Raises:
        PluginError: the copy has changed since the run was made, or is not there.
        RunFolderError: the config does not say which plugins they are, or a copy is a link.
    """
    plugins.begin()
    for name, hash in _entries(run, config).items():
        there = {one.name: one for one in plugins.active()}.get(name)
        if there is not None and there.hash == hash and not (there.untrusted and trust):
            plugins.add(there)
            continue
        if given.is_given(name):
            given.absent(run, name, hash, config.plain)
            continue
        if there is not None and not there.is_kept and not trust:
            raise PluginError(
                f"{there.file} has changed since {run} was trained (hash {hash}, now {there.hash})",
                path=there.file,
                hint="undo the change, or add --trust to use the copy that the run has",
            )
        copy = _copy(run, name, hash, None if trust else run)
        if there is not None:
            plugins.remove(there)
        plugins.add(copy)


def activate(config: Config) -> None:
    """Make the plugins of a config known that this process was handed by the one that composed it.

    Raises:
        PluginError: one has changed meanwhile.
    """
    for name, entry in config.plugins.items():
        plugin = plugins.add(Plugin.at(Path(entry["path"]), name))
        if plugin.hash != entry["hash"]:
            raise _changed(plugin, entry["hash"], plugin.hash)


def _changed(plugin: Plugin, before: str, now: str) -> PluginError:
    return PluginError(
        f"{plugin.file} has changed since the command was given (hash {before}, now {now})",
        path=plugin.file,
        hint="give the command again",
    )


def _copy(run: Path, name: str, hash: str, untrusted: Path | None) -> Plugin:
    """The plugin that the run folder keeps."""
    places.check_files(run / FOLDER, inner=True)
    place = run / FOLDER / name / Path(*name.split("."))
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    file = next((one for one in files if one.is_file()), files[0])
    if not file.is_file():
        raise PluginError(
            f"the run was trained with the plugin {name}, and {file} is missing",
            path=file,
            hint="put it back, or give your own, as plugins=PATH",
        )
    plugin = Plugin.at(file, name, untrusted)
    if plugin.hash != hash:
        raise PluginError(
            path=file,
            reason=f"was changed since the run was trained (hash {hash}, now {plugin.hash})",
            hint="undo that, or give your own, as plugins=PATH",
        )
    return plugin


def _entries(run: Path, config: Config) -> dict[str, str]:
    """Name -> hash; what stands there came with the folder, and may be anything."""
    listed: Any = config.plain.get("plugins") or {}
    entries = {
        name: one.get("hash")
        for name, one in (listed.items() if isinstance(listed, Mapping) else ())
        if isinstance(one, Mapping)
    }
    sound = all(isinstance(name, str) and _NAME.fullmatch(name) for name in entries)
    if not isinstance(listed, Mapping) or len(entries) < len(listed) or not sound:
        raise RunFolderError(
            path=run / "config.yaml", reason="has a damaged list of plugins", hint="put a copy of it back"
        )
    return {name: str(hash) for name, hash in entries.items()}
