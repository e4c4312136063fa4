"""Zip archives of strangers, unpacked where they should be and nowhere else."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from dmf_cli.datasets.fetch.download import check_space, on_disk
from dmf_cli.errors import DatasetError, DownloadError

# NotImplementedError: a compression that zipfile does not know.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)
LOCKED = "is locked by a password"
UNPACK = "unpack it yourself and give its folder, dataset.dir=PATH"


def unpack(archive: Path, folder: Path) -> int:
    """Unpack ``archive`` into ``folder`` and return the number of files.

    Files of macOS (``__MACOSX``) are skipped.

    Raises:
        DownloadError: no zip archive, damaged, locked by a password, larger than the free disk, or with a
            name or link that leads out of ``folder``.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
            for member in members:
                _check(archive, member)
            check_space(folder, sum(member.file_size for member in members))
            for member in members:
                _extract(opened, member, folder)
    except FileNotFoundError:
        hint = "give the archive that you downloaded"
        raise DatasetError(path=archive, reason="does not exist", hint=hint) from None
    except DAMAGE as error:
        hint = f"download it again, or {UNPACK}"
        raise DownloadError(path=archive, reason=f"is not a whole zip archive ({error})", hint=hint) from None
    return len(members)


def fault(member: zipfile.ZipInfo) -> str:
    """What is wrong with a file of a stranger's archive, in words that follow the archive; empty: nothing."""
    name = member.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in name:
        return f"holds the file {member.filename!r}, which leads out of it"
    if stat.S_ISLNK(member.external_attr >> 16):
        return f"holds the link {member.filename!r}"
    return LOCKED if member.flag_bits & 1 else ""


def _check(archive: Path, member: zipfile.ZipInfo) -> None:
    if reason := fault(member):
        hint = UNPACK if reason == LOCKED else "do not use it"
        raise DownloadError(path=archive, reason=reason, hint=hint)


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / member.filename.replace("\\", "/")
    with on_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
