"""Images, masks and tables that are none."""

import functools
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dmf_cli.datasets.sources import image_files
from dmf_cli.datasets.sources.case_table import TableDataset
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.survey import survey
from tests.bad_inputs.answer import Case

GREY = (np.arange(48 * 64).reshape(48, 64) % 251).astype(np.uint8)
SHARES = (1, 5, 10, 20, 30, 40, 50, 60, 70)  # per cent of a file
FORMATS = {
    "png": "PNG",
    "jpg": "JPEG",
    "gif": "GIF",
    "bmp": "BMP",
    "tif": "TIFF",
    "webp": "WEBP",
    "pgm": "PPM",
}
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"\x89",
    "text": b"no image",
    "NUL": bytes(5000),
    "HTML": b"<html><script>alert(1)</script></html>",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n",
    "PDF": b"%PDF-1.4\n%%EOF\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "zip": b"PK\3\4" + bytes(40),
    "XBM": b"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {0,0,0,0,0,0,0,0};\n",
}
PLACES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "missing": lambda path: None,
    "link to itself": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "device": lambda path: path.symlink_to("/dev/zero"),
}
_NO_FILES = ("an image is a pipe", "an image is a folder")
# Skipped, or read with a warning.
DOUBTFUL = ("masks of all greys", "a mask of all greys", "coloured masks", *_NO_FILES)
READERS = {"image": lambda path: image_files.read_image(path, 1), "mask": image_files.open_image}
# Rows behind the header image,mask,patient,class,split,spacing; {0} and {1} are good rows.
TABLES: dict[str, str | bytes] = {
    "empty": "",
    "no rows": "image,mask\n",
    "empty rows": "image,mask\n,\n,\n",
    "two columns": "image,mask,mask\na,b,c\n",
    "no columns": "a,b\n1,2\n",
    "UTF-16": "image,mask\na,b\n".encode("utf-16"),
    "not UTF-8": b"image,mask\n\xff,\xfe\n",
    "NUL": b"image,mask\n\0,\0\n",
    "only NUL": bytes(500),
    "missing files": "image,mask\nimages/a.png,masks/a.png\nimages/b.png,masks/b.png\n",
    "no image": "image,mask\n,masks/0.png\n",
    "no mask": "image,mask\nimages/0.png,\n",
    "own mask": "image,mask\nimages/0.png,images/0.png\n",
    "twice": "image,mask\nimages/0.png,masks/0.png\nimages/0.png,masks/0.png\n",
    "mask of two": "image,mask\nimages/0.png,masks/0.png\nimages/1.png,masks/0.png\n",
    "part": "image,mask,split\nimages/0.png,masks/0.png,trian\n",
    "no part": "image,mask,split\nimages/0.png,masks/0.png,train\nimages/1.png,masks/1.png,\n",
    "spacing": "image,mask,spacing\nimages/0.png,masks/0.png,a\n",
    "spacing below": "image,mask,spacing\nimages/0.png,masks/0.png,-1\n",
    "spacing 0": "image,mask,spacing\nimages/0.png,masks/0.png,0\n",
    "spacing nan": "image,mask,spacing\nimages/0.png,masks/0.png,nan\n",
    "spacing inf": "image,mask,spacing\nimages/0.png,masks/0.png,inf\n",
    "spacing 1e300": "image,mask,spacing\nimages/0.png,masks/0.png,1e300\n",
    "above": "image,mask\n../../../etc/passwd,../../../etc/passwd\n",
    "absolute": "image,mask\n/etc/passwd,/etc/hostname\n",
    "escape": "image,mask\n\x1b[2J.png,\x1b[2K.png\n",
    "quote": 'image,mask\n"images/0.png,masks/0.png\n',
    "URL": "image,mask\nhttp://x/0.png,http://x/1.png\n",
    "long name": f"image,mask\n{'a' * 5000}.png,masks/0.png\n",
    "endless line": "image,mask\n" + "a" * 2**22 + "\n",
    "folder": "image,mask\nimages,masks\n",
    "more cells": "image,mask\nimages/0.png,masks/0.png,a,b\nimages/1.png,masks/1.png,a,b\n",
    "JSON": '{"image": "a", "mask": "b"}\n',
    "words": "hello\nworld\n",
}
# Keys of the dataset that do not fit its files.
KEYS: dict[str, dict[str, Any]] = {
    "no such pattern": {"images": "nothing/*.png"},
    "no such masks": {"masks": "nothing/{stem}.png"},
    "no placeholder": {"masks": "masks/0.png"},
    "unknown placeholder": {"masks": "masks/{nothing}.png"},
    "open placeholder": {"masks": "masks/{stem.png"},
    "empty pattern": {"images": ""},
    "absolute pattern": {"images": "/etc/*"},
    "pattern above": {"images": "../*/*.png"},
    "no folder": {"dir": "nothing"},
    "a file": {"dir": "images/0.png"},
    "expression": {"parse": "("},
    "expression without groups": {"parse": "a"},
    "spacing": {"spacing": [1]},
    "spacing below": {"spacing": [-1, 1]},
    "stratum": {"strata": "nothing/{x}"},
    "images are masks": {"masks": "images/{stem}.png"},
}


def cases() -> Iterator[Case]:
    """All of them."""
    for kind, read in READERS.items():
        for suffix in (*FORMATS, "dcm", "jp2"):
            for name, content in {**CONTENTS, **_damaged(suffix)}.items():
                yield _of_image(kind, f"{suffix} {name}", suffix, read, content)
            for name, make in PLACES.items():
                yield _of_image(kind, f"{suffix} {name}", suffix, read, make)
        for name, (suffix, content) in _odd().items():
            yield _of_image(kind, name, suffix, read, content)
    for name, text in TABLES.items():
        named = "" if name in ("absolute", "above") else "cases.csv"
        yield Case("table", name, functools.partial(_table, text), named)
    for name, make in PLACES.items():
        yield Case("table", name, functools.partial(_table, make), "cases.csv")
    for name, keys in KEYS.items():
        yield Case("folder of images", name, functools.partial(_folder, keys, None))
    for name, change in CHANGES.items():
        yield Case(
            "folder of images", name, functools.partial(_folder, {}, change), may_pass=name in DOUBTFUL
        )


def _of_image(kind: str, name: str, suffix: str, read: Any, content: Any) -> Case:
    def give(folder: Path) -> Callable[[], Any]:
        file = folder / f"a.{suffix}"
        content(file) if callable(content) else file.write_bytes(content)
        return lambda: read(file)

    return Case(kind, name, give, f"a.{suffix}")


def saved(suffix: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, FORMATS[suffix])
    return buffer.getvalue()


def _damaged(suffix: str) -> dict[str, bytes]:
    """Cut where something of the pixels is missing."""
    if suffix not in FORMATS:
        return {}
    whole = saved(suffix)
    return {
        f"{share} % of it": whole[: len(whole) * share // 100] for share in (1, 5, 10, 20, 30, 40, 50, 60, 70)
    }


def _png(width: int, height: int, *, depth: int = 8, colour: int = 0, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def _frames(suffix: str) -> bytes:
    buffer, frames = io.BytesIO(), [Image.fromarray(np.roll(GREY, i)) for i in range(3)]
    frames[0].save(buffer, FORMATS[suffix], save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def _odd() -> dict[str, tuple[str, bytes]]:
    sizes = {
        "0 wide": (0, 8),
        "0 high": (8, 0),
        "100,000 square": (10**5, 10**5),
        "2 ** 31 - 1": (2**31 - 1, 2**31 - 1),
    }
    found = {f"PNG {name}": ("png", _png(*size, data=bytes(100))) for name, size in sizes.items()}
    found |= {
        f"PNG depth {d} colour {c}": ("png", _png(8, 8, depth=d, colour=c, data=bytes(99)))
        for d, c in ((3, 0), (8, 5), (16, 3), (0, 0))
    }
    found |= {
        f"{suffix} of three frames": (suffix, _frames(suffix)) for suffix in ("gif", "tif", "webp", "png")
    }
    found["PNG without pixels"] = "png", _png(8, 8)
    found["PNG bomb"] = "png", _png(60_000, 60_000, data=bytes(10**6))
    found["PGM without end"] = "pgm", b"P5 " + b"9" * 5000
    found["PGM of 10 ** 9"] = "pgm", b"P5 1000000000 1000000000 255\n"
    found["PGM below"] = "pgm", b"P5 -8 8 255\n" + bytes(64)
    found["PGM depth 0"] = "pgm", b"P5 8 8 0\n" + bytes(64)
    found["BMP of 2 ** 31 - 1"] = (
        "bmp",
        saved("bmp")[:18] + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + saved("bmp")[26:],
    )
    found["TIFF circle"] = "tif", b"II*\0\x08\0\0\0" + b"\0\0" + struct.pack("<I", 8)
    return found


def _filled(folder: Path) -> None:
    for name in ("images", "masks"):
        (folder / name).mkdir()
        for index in range(6):
            plane = np.roll(GREY, 7 * index) if name == "images" else np.zeros_like(GREY)
            plane = plane.copy()
            if name == "masks":
                plane[5 : 15 + index, 5:20] = 255
            Image.fromarray(plane).save(folder / name / f"{index}.png")


def _table(text: Any, folder: Path) -> Callable[[], Any]:
    _filled(folder)
    if callable(text):
        text(folder / "cases.csv")
    else:
        (folder / "cases.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return lambda: survey(TableDataset(name="table", table=folder / "cases.csv")).refuse()


def _folder(keys: dict[str, Any], change: Callable[[Path], object] | None, folder: Path) -> Callable[[], Any]:
    _filled(folder)
    if change:
        change(folder)
    given = {"images": "images/*.png", "masks": "masks/{stem}.png", **keys}
    place = folder / keys.get("dir", "")

    def read() -> None:
        dataset = FolderDataset(**{"name": "mine", **given, "dir": place})
        survey(dataset).refuse()
        for index in range(len(dataset)):
            dataset.load(index)

    return read


def _all(pattern: str, content: Any) -> Callable[[Path], object]:
    """Every file of a pattern is something else."""

    def change(folder: Path) -> None:
        for file in sorted(folder.glob(pattern)):
            file.unlink()
            content(file) if callable(content) else Image.fromarray(content).save(file)

    return change


def _removed(names: Sequence[str]) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).unlink() for name in names]


CHANGES: dict[str, Callable[[Path], object]] = {
    "a mask is missing": _removed(["masks/3.png"]),
    "no masks": _removed([f"masks/{i}.png" for i in range(6)]),
    "no images": _removed([f"images/{i}.png" for i in range(6)]),
    "a mask of another size": _all("masks/2.png", GREY[:20, :20]),
    "masks of another size": _all("masks/*.png", GREY[:20, :20]),
    "masks of all greys": _all("masks/*.png", GREY),
    "a mask of all greys": _all("masks/1.png", GREY),
    "coloured masks": _all("masks/*.png", np.stack([GREY, GREY.T.reshape(GREY.shape), GREY[::-1]], axis=2)),
    "a mask is text": _all("masks/1.png", lambda path: path.write_text("no image")),
    "an image is text": _all("images/1.png", lambda path: path.write_text("no image")),
    "an image is empty": _all("images/1.png", lambda path: path.touch()),
    "an image is a pipe": _all("images/1.png", os.mkfifo),
    "a mask is a pipe": _all("masks/1.png", os.mkfifo),
    "an image is a folder": _all("images/1.png", Path.mkdir),
    "a mask is a link to itself": _all("masks/1.png", lambda path: path.symlink_to(path)),
    "a mask is a device": _all("masks/1.png", lambda path: path.symlink_to("/dev/zero")),
}  # fmt: skip
