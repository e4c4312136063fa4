"""``dmf bundle``: one archive of runs for a paper, with the SHA-256 of each file in it.

    manifest.json                 {"format": 1, "runs": {NAME: {...}}, "files": {PATH: SHA-256}}
    runs/NAME/config.yaml ...     see :mod:`dmf_cli.verifying.contents`

The same runs give the same bytes: files are in order, and have no dates.
"""

import dataclasses
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from dmf_cli import __version__, hashes
from dmf_cli.comparison import loading
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.files import TEMPORARY, disk_errors, replacing
from dmf_cli.inference import network_weights
from dmf_cli.run_folder import index, places, stored_config
from dmf_cli.verifying import contents

FORMAT, MANIFEST, RUNS = 1, "manifest.json", "runs"
NEVER = (1980, 1, 1, 0, 0, 0)  # the first date that a zip archive can say


@dataclasses.dataclass(frozen=True)
class Bundle:
    """An archive that was written.

    Args:
        path: of it.
        files: in it, the manifest not counted.
        runs: their names in it.
        named: ``NAME: model.weights`` for each key that still names a place of this machine.
    """

    path: Path
    files: int
    runs: tuple[str, ...]
    named: tuple[str, ...]


def write(runs: Sequence[Path], output: Path, *, weights: bool = False) -> Bundle:
    """Write the archive ``output`` of ``runs``, whole or not at all.

    Args:
        runs: run folders, or folders that hold some.
        output: a file that does not exist.
        weights: take the best network of each run along.

    Raises:
        RunFolderError: no run, one that is at work or damaged, or ``output`` cannot be written.
    """
    if output.exists():
        raise ConfigError(key="--output", value=output, reason="which exists", hint="give another name")
    folders, empty = loading.find(list(runs))
    if empty:
        raise RunFolderError(empty[0], path=runs[0], hint="give run folders, or a folder that holds some")
    named, known, said = _names(folders), dict[str, Any](), list[str]()
    for name, folder in named.items():
        places.check_files(folder)
        if (entry := index.read(folder)).state == "running":
            raise RunFolderError(path=folder, reason="is still running", hint="bundle it when it has ended")
        network = folder / contents.NETWORK
        digest = network_weights.digest(network) if network.is_file() else None
        known[name] = {"id": entry.id, "state": entry.status.get("state"), "weights": digest}
        said += [f"{name}: {key}" for key in contents.absolute(stored_config.load_run(folder))]
    temporary = output.with_name(f".{output.name[:200]}.{os.getpid()}{TEMPORARY}")
    with disk_errors(output), replacing(output, temporary) as file:
        count = _write(file, named, known, weights)
    return Bundle(output, count, tuple(named), tuple(said))


def _names(folders: Sequence[Path]) -> dict[str, Path]:
    """A name in the archive for each run, in order."""
    named: dict[str, Path] = {}
    for folder in sorted(folders, key=lambda one: (one.resolve().name, str(one.resolve()))):
        name, number = folder.resolve().name, 1
        while (unique := name if number == 1 else f"{name}_{number}") in named:
            number += 1
        named[unique] = folder
    return named


def _write(file: BinaryIO, named: Mapping[str, Path], known: Mapping[str, Any], weights: bool) -> int:
    listed: dict[str, str] = {}
    with zipfile.ZipFile(file, "w") as archive:
        for name, folder in named.items():
            for inner, content in sorted(contents.files(folder, weights=weights)):
                place = f"{RUNS}/{name}/{inner}"
                listed[place] = hashes.digest(content, 64)
                _add(archive, place, content)
        manifest = {"format": FORMAT, "dmf": __version__, "runs": known, "files": listed}
        _add(archive, MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return len(listed)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, NEVER)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = 3, 0o100644 << 16  # a file of Unix, on every system
    archive.writestr(entry, content, compresslevel=9)
