"""Files over HTTP: resumed where they were cut, checked, and never seen half-made under their own name."""

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from dmf_cli import __version__, bounded, machine
from dmf_cli.errors import DownloadError

CHUNK = 1 << 16  # bytes; a cut connection loses at most these
TIMEOUT = (20, 60)  # seconds to connect, and between two pieces
PAUSES: tuple[float, ...] = (1, 2, 4, 8)  # seconds before each new try after one that brought nothing
ELSEWHERE = "make room, or give another place, dataset.dir=PATH"
BUSY = (408, 425, 429, 500, 502, 503, 504)  # answers that another try may change

Progress = Callable[[int, int | None], None]  # (bytes so far, bytes in all or None)


def fetch(url: str, target: Path, *, sha256: str | None = None, progress: Progress | None = None) -> str:
    """Download ``url`` to ``target`` and return its SHA-256 as hex.

    What an earlier call left in ``TARGET.part`` is continued if the server still has the same file.

    Args:
        url: http or https.
        target: a file in an existing folder; one that is there already is only checked.
        sha256: what it must be; None checks nothing.
        progress: called after each piece.

    Raises:
        DownloadError: no connection, a refusal, a full or read-only disk, another content than expected.
    """
    part = target.with_name(f"{target.name}.part")
    if not target.exists():
        _complete(url, part, progress)
    digest = _digest(target if target.exists() else part)
    if sha256 and digest != sha256.lower():
        (target if target.exists() else part).unlink()
        reason = f"has the sha256 {digest}, not {sha256.lower()} as expected, and was removed"
        hint = "try again, or set dataset.download.sha256 if its owner has changed it"
        raise DownloadError(path=url, reason=reason, hint=hint)
    if not target.exists():
        with on_disk(target):
            part.replace(target)
    _note_of(part).unlink(missing_ok=True)
    return digest


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` on ``path`` into one line."""
    try:
        yield
    except requests.RequestException:  # an OSError too, but none of the disk
        raise
    except OSError as error:
        what = f"cannot write {path} ({error.strerror or error})"
        raise DownloadError(what, path=path, hint=ELSEWHERE) from error


def check_space(folder: Path, needed: int) -> None:
    """Raise ``DownloadError`` where the disk of ``folder`` has no room for ``needed`` bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        what = f"{machine.amount(needed)} are needed in {folder} and {machine.amount(free)} are free"
        raise DownloadError(what, path=folder, hint=ELSEWHERE)


def _complete(url: str, part: Path, progress: Progress | None) -> None:
    """Try until ``part`` is whole; tries that brought bytes cost nothing, others one of ``PAUSES`` each."""
    pauses = list(PAUSES)
    while True:
        before = _size(part)
        try:
            return _continue(url, part, progress)
        except requests.RequestException as error:
            if _size(part) > before:
                pauses = list(PAUSES)
            elif not pauses or isinstance(error, ValueError):  # a wrong address stays wrong
                reason = f"cannot be downloaded ({_reason(error)})"
                raise DownloadError(path=url, reason=reason, hint="run it again to resume") from None
        time.sleep(pauses.pop(0) if pauses else PAUSES[0])


def _continue(url: str, part: Path, progress: Progress | None) -> None:
    """One request for what is missing of ``part``."""
    have, note = _size(part), _read_note(part, url)
    headers = {"Accept-Encoding": "identity", "User-Agent": f"dmf/{__version__}"}
    if have and note.get("tag"):  # a file without a mark could have changed: it is started anew
        headers |= {"Range": f"bytes={have}-", "If-Range": str(note["tag"])}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # nothing is missing, or the file has shrunk
            if have == note.get("total"):
                return
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the file has changed")
        if answer.status_code in BUSY:
            raise requests.ConnectionError(f"{answer.status_code} {answer.reason}")
        if not answer.ok:
            reason = f"answered {answer.status_code} {answer.reason}"
            raise DownloadError(path=url, reason=reason, hint="check dataset.download.urls")
        have = have if answer.status_code == 206 else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdecimal() else None
        tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        _write_note(part, {"url": url, "tag": None if str(tag).startswith("W/") else tag, "total": total})
        check_space(part.parent, (total or have) - have)
        _append(answer, part, have, total, progress)


def _append(
    answer: requests.Response, part: Path, have: int, total: int | None, progress: Progress | None
) -> None:
    with on_disk(part), part.open("ab" if have else "wb") as file:
        pieces = answer.iter_content(CHUNK)
        while True:
            try:
                piece = next(pieces, b"")
            except requests.RequestException:
                raise
            except OSError as error:  # of the connection, not of the disk
                raise requests.ConnectionError(str(error)) from error
            if not piece:
                break
            file.write(piece)
            have += len(piece)
            if progress:
                progress(have, total)
    if total is not None and have < total:
        raise requests.ConnectionError("the connection was cut")


def _reason(error: Exception) -> str:
    """The innermost cause: requests wraps it several times."""
    while isinstance(error.__context__, Exception):
        error = error.__context__
    return str(error).partition("\n")[0] or type(error).__name__


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path, url: str) -> dict[str, object]:
    """What the server said of the file when ``part`` was begun; {} if that is not known."""
    try:
        note = bounded.read_json(_note_of(part))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) and note.get("url") == url else {}


def _write_note(part: Path, note: dict[str, object]) -> None:
    with on_disk(part):
        _note_of(part).write_text(json.dumps(note), encoding="utf-8")
