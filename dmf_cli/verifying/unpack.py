"""An archive of ``dmf bundle``, from anybody: unpacked where it should be, and compared with its manifest."""

import dataclasses
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from dmf_cli import bounded, hashes
from dmf_cli.datasets.fetch import archives
from dmf_cli.datasets.fetch.download import check_space
from dmf_cli.errors import RunFolderError
from dmf_cli.files import disk_errors
from dmf_cli.verifying.bundle import FORMAT, MANIFEST, RUNS
from dmf_cli.verifying.differences import ABSENT, Mismatch

MOST_FILES = 100_000
MOST_BYTES = 64 * 1024 * bounded.MB  # of all files together, as they say themselves
BLOCK = bounded.MB
_FILE = re.compile(rf"{RUNS}/[^/\\]+(/[^/\\]+)+")
_HASH = re.compile(r"[0-9a-f]{64}")
_DAMAGE = (*archives.DAMAGE, RuntimeError)  # the latter: a password


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """What an archive holds.

    Args:
        files: how many, the manifest not counted.
        runs: name -> its folder.
        weights: name -> the hash of the weights of its best network, where it is known.
        difference: the first file that is not as the manifest says; None: all are.
    """

    files: int
    runs: Mapping[str, Path]
    weights: Mapping[str, str]
    difference: Mismatch | None


def unpack(path: Path, folder: Path) -> Unpacked:
    """Unpack the archive ``path`` into the empty ``folder``, until a file differs from the manifest.

    Raises:
        RunFolderError: it is no archive of ``dmf bundle``, is too large, or holds a link or a name that leads
            out of it; nothing was unpacked.
    """
    with disk_errors(path, "read"), bounded.opened(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _unpack(path, archive, folder)
        except _DAMAGE as error:
            raise _none(path, f"is not a whole zip archive ({error})") from None


def _unpack(path: Path, archive: zipfile.ZipFile, folder: Path) -> Unpacked:
    members = archive.infolist()
    _check(path, members, folder)
    manifest = _manifest(path, archive)
    listed: dict[str, str] = manifest["files"]
    held = {member.filename for member in members} - {MANIFEST}
    difference = None
    for name in sorted({*listed, *held}):
        if name not in held or name not in listed:
            there = ("in the manifest", "not in the archive") if name in listed else (ABSENT, "there")
            difference = Mismatch("file", name, "", *there)
        else:
            difference = _extract(archive, name, listed[name], folder)
        if difference:
            break
    runs = {name: folder / RUNS / name for name in manifest["runs"]}
    weights = {name: one["weights"] for name, one in manifest["runs"].items() if one.get("weights")}
    return Unpacked(len(listed), runs, weights, difference)


def _check(path: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    if len(members) > MOST_FILES or (size := sum(member.file_size for member in members)) > MOST_BYTES:
        raise _none(path, f"holds more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes")
    (double, times), *_ = [*Counter(one.filename for one in members).most_common(1), ("", 0)]
    if times > 1:
        raise _none(path, f"holds the file {double!r} twice")
    for member in members:
        if wrong := archives.fault(member):
            raise _none(path, wrong)
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _none(path, f"holds {member.filename!r}, which is packed as `dmf bundle` packs nothing")
        if member.filename != MANIFEST and not (_FILE.fullmatch(member.filename)):
            raise _none(path, f"holds {member.filename!r}, which belongs to no run")
        if any(part in (".", "..") for part in member.filename.split("/")):
            raise _none(path, f"holds {member.filename!r}, which leads out of it")
    check_space(folder, size)


def _manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    if MANIFEST not in archive.namelist():
        raise _none(path, f"has no {MANIFEST}")
    if archive.getinfo(MANIFEST).file_size > bounded.MOST:
        raise _none(path, f"has a {MANIFEST} of more than {bounded.MOST:,} bytes")
    try:
        found = bounded.parse_json(archive.read(MANIFEST))
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _none(path, f"has a {MANIFEST} that dmf cannot read")
    files, runs = (_mapping(found.get(key), path) for key in ("files", "runs"))
    sound = all(isinstance(one, str) and _HASH.fullmatch(one) for one in files.values())
    for one in runs.values():
        sound = sound and isinstance(one, dict) and isinstance(one.get("weights"), str | None)
    if not sound or {name.split("/")[1] for name in files if _FILE.fullmatch(name)} != set(runs):
        raise _none(path, f"has a damaged {MANIFEST}")
    return found


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _none(path, f"has a damaged {MANIFEST}")
    return value


def _extract(archive: zipfile.ZipFile, name: str, wanted: str, folder: Path) -> Mismatch | None:
    target = folder / name
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with archive.open(name) as source, target.open("xb") as file:
                now = _copy(source, file)
        except _DAMAGE as error:
            return Mismatch("file", name, "its content", f"SHA-256 {wanted}", f"damaged ({error})")
    return None if now == wanted else Mismatch("file", name, "its SHA-256", wanted, now)


def _copy(source: IO[bytes], file: IO[bytes]) -> str:
    def blocks() -> Iterator[bytes]:
        while block := source.read(BLOCK):
            file.write(block)
            yield block

    return hashes.of_parts(blocks())


def _none(path: Path, reason: str) -> RunFolderError:
    return RunFolderError(path=path, reason=reason, hint="give an archive that `dmf bundle` wrote")
