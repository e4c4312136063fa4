"""Files that are read no further than is sensible: of a known kind, size, depth and expansion.

A run folder, a folder of images or a cache may come from somebody else. What is read of one is a regular
file (opening a pipe would wait for ever), it is not larger than any file of its kind can be, and neither
brackets nor anchors make more of it than it seems. Everything here raises ``OSError`` or ``ValueError``, as
reading and parsing do anyhow, so that whoever reports those reports these.
"""

import errno
import io
import itertools
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

MB = 2**20
MOST = 256 * MB  # of text, and of JSON that lists images: the split of a million takes 60 MB
MOST_SCORES = 16 * MB  # of JSON with the scores and the confusion of classes, of which there may be 255
MOST_NOTE = 4 * MB  # of other JSON: the status of a run takes 2 kB, its environment 20 kB
MOST_YAML = MB  # a config takes 3 kB
MOST_WHOLE = 2048 * MB  # of a table of 10 million steps, or an image
MOST_ROWS = 64 * 1024 * MB  # of what is read a part at a time
MOST_LINE = MB  # characters of a row of a table
NODES = 100_000  # values of a YAML file, once its anchors are filled in
LEVELS = 50  # of brackets in brackets
REFERENCES = 24  # ``${...}``, of which each may stand for the next ones: at most e ** (24 / e) in all
REPEATED = 2_000  # characters of a text in a file with ``${...}``, which may stand for it as often
# Of a file that is read: where it is a pipe that nobody writes to, opening it must not wait.
_NOW = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def opened(path: Path | str, most: int = MOST_ROWS) -> io.BufferedReader:
    """``path`` to read bytes from.

    Raises:
        OSError: it cannot be opened, is a pipe, a device or a folder, or has more than ``most`` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | _NOW)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device and no file", str(path))
        if found.st_size > most:
            size = f"it has {found.st_size:,} bytes, and {most:,} are read at most"
            raise OSError(errno.EFBIG, size, str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


@contextmanager
def opened_text(path: Path | str, *, errors: str = "strict", most: int = MOST_ROWS) -> Iterator[IO[str]]:
    """``path`` to read rows from, as ``csv`` wants it: UTF-8, ends of lines as they are."""
    with opened(path, most) as file:
        yield _Lines(file, encoding="utf-8", errors=errors, newline="")


class _Lines(io.TextIOWrapper):
    """A text whose lines are of bounded length: a file of holes may be one line as long as the file says."""

    def __next__(self) -> str:  # type: ignore[override]
        line = self.readline(MOST_LINE + 1)
        if len(line) > MOST_LINE:
            raise OSError(errno.EFBIG, f"it has a line of more than {MOST_LINE:,} characters")
        if not line:
            raise StopIteration
        return line


def read_bytes(path: Path | str, most: int = MOST) -> bytes:
    """All of ``path``; raises as :func:`opened`."""
    with opened(path, most) as file:
        return file.read()


def read_text(path: Path | str, *, encoding: str = "utf-8", errors: str = "strict", most: int = MOST) -> str:
    """All of ``path`` as text, ends of lines as ``\\n``.

    Raises:
        OSError: see :func:`opened`.
        ValueError: it is not in this encoding.
    """
    text = read_bytes(path, most).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path | str, *, errors: str = "strict", most: int = MOST_NOTE) -> Any:
    """What the JSON file ``path`` says.

    Raises:
        OSError: see :func:`opened`.
        ValueError: it is no JSON, or nested too deeply.
    """
    return parse_json(read_text(path, errors=errors, most=most))


def parse_json(text: str | bytes) -> Any:
    """What the JSON ``text`` says; raises ``ValueError`` for whatever is wrong with it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_yaml_text(path: Path | str, *, tags: bool = True) -> str:
    """The text of the YAML file ``path``, of which :func:`check_yaml` has nothing to say."""
    text = read_text(path, most=MOST_YAML)
    check_yaml(text, tags=tags)
    return text


def check_yaml(text: str, *, tags: bool = True) -> None:
    """Whether a parser can make values of the YAML ``text`` in little time and memory.

    It is read as a stream of events, so that neither depth nor anchors cost anything here.

    Args:
        text: of one file.
        tags: whether it may have tags, of which each asks for code of its own.

    Raises:
        yaml.YAMLError: it is no YAML.
        ValueError: it is nested too deeply, or of too many values or ``${...}`` once its anchors are
            filled in.
    """
    import yaml

    # What an anchor stands for, and how much there is so far: values, and ``${...}`` in them.
    sizes: dict[str, tuple[int, int]] = {}
    total = references = longest = line = 0
    # The collections that are not closed: anchor, and how much was there before.
    open_nodes: list[tuple[str | None, int, int]] = []
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"its anchor {event.anchor[:40]!r} holds itself or is not defined")
            added, more = sizes[event.anchor]
        elif not tags and getattr(event, "tag", None):
            raise ValueError(f"it has the tag {event.tag[:40]!r}, and dmf writes none")
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total, references))
            added, more = 1, 0
        elif isinstance(event, yaml.ScalarEvent):
            added, more = 1, event.value.count("${")
            if len(event.value) > longest:
                longest, line = len(event.value), event.start_mark.line + 1
            if more and _depth(event.value) > LEVELS:
                raise ValueError(f"it has ${{...}} in more than {LEVELS} levels")
            if event.anchor:
                sizes[event.anchor] = 1, more
        else:
            if isinstance(event, yaml.CollectionEndEvent):
                anchor, *before = open_nodes.pop()
                if anchor:
                    sizes[anchor] = total - before[0], references - before[1]
            continue
        total, references = total + added, references + more
        if len(open_nodes) > LEVELS:
            raise ValueError(f"it has more than {LEVELS} levels")
        if total > NODES:
            raise ValueError(f"it stands for more than {NODES:,} values")
        if references > REFERENCES:
            raise ValueError(f"it has ${{...}} in more than {REFERENCES} places")
    if references and longest > REPEATED:
        text = f"a text of {longest:,} characters in line {line}"
        raise ValueError(f"it has {text}, and ${{...}}: {REPEATED:,} at most then")


def _depth(text: str) -> int:
    """How deep the brackets of a text with ``${...}`` are, which OmegaConf parses."""
    if "${" not in text:
        return 0
    steps = ((letter in "[{(") - (letter in "]})") for letter in text)
    return max(itertools.accumulate(steps))
