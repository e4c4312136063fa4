"""Files of parts of one's own that are none."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dmf_cli.parts import plugins, registry
from tests.bad_inputs.answer import Case

HEAD = "import dmf_cli\n"
LOSS = "@dmf_cli.loss\ndef mine(y_true, y_pred, *, a=1.0):\n    return 1.0\n"
# What is wrong with the source.
SOURCES: dict[str, str | bytes] = {
    "empty": "",
    "comment": "# nothing",
    "text": "hello world",
    "NUL": b"\0",
    "not UTF-8": b"# \xff\n",
    "tabs": "if 1:\n\tx\n        y",
    "open": f"{HEAD}@dmf_cli.loss\ndef a(y_true, y_pred",
    "no part": f"{HEAD}def a(y_true, y_pred): ...",
    "only a decorator": f"{HEAD}@dmf_cli.loss",
    "one argument": f"{HEAD}@dmf_cli.loss\ndef a(y_pred): ...",
    "no argument": f"{HEAD}@dmf_cli.loss\ndef a(): ...",
    "positional": f"{HEAD}@dmf_cli.loss\ndef a(y_true, y_pred, b=1): ...",
    "no default": f"{HEAD}@dmf_cli.loss\ndef a(y_true, y_pred, *, b): ...",
    "no value": f"{HEAD}@dmf_cli.loss\ndef a(y_true, y_pred, *, b=object()): ...",
    "a class": f"{HEAD}@dmf_cli.loss\nclass a: ...",
    "reserved": f"{HEAD}@dmf_cli.loss\ndef nan(y_true, y_pred): ...",
    "true": f"{HEAD}@dmf_cli.loss\ndef true(y_true, y_pred): ...",
    "null": f"{HEAD}@dmf_cli.loss\ndef null(y_true, y_pred): ...",
    "of dmf": f"{HEAD}@dmf_cli.loss\ndef dice(y_true, y_pred): ...",
    "twice": HEAD + LOSS * 2,
    "a function": f"{HEAD}@dmf_cli.strategy\ndef a(): ...",
    "no direction": f"{HEAD}@dmf_cli.metric\ndef a(truth, prediction): ...",
    "direction": f"{HEAD}@dmf_cli.metric(better='left')\ndef a(truth, prediction): ...",
    "a network": f"{HEAD}@dmf_cli.model\ndef a(shape): ...",
    "an augmentation": f"{HEAD}@dmf_cli.augmentation\ndef a(images): ...",
    "deep": f"{HEAD}x = {'(' * 500}{')' * 500}\n{LOSS}",
    "deep 2": f"{HEAD}x = {'-' * 100_000}1\n{LOSS}",
    "async": f"{HEAD}@dmf_cli.loss\nasync def a(y_true, y_pred): ...",
    "no such decorator": f"{HEAD}@dmf_cli.lose\ndef a(y_true, y_pred): ...",
}
# What goes wrong when it is run.
LINES = {
    "import": "import nonexistent_xyz",
    "division": "1 / 0",
    "exit": "raise SystemExit('bye')",
    "exit 0": "raise SystemExit",
    "own exit": "import sys; sys.exit(3)",
    "name": "nothing",
    "recursion": "f = lambda: f()\nf()",
    "assertion": "assert False",
    "base": "raise BaseException('x')",
    "memory": "raise MemoryError",
    "key": "{}['a']",
    "escape": "raise ValueError('\\x1b[2J\\nb')",
    "long": "raise ValueError('x' * 100_000)",
    "no words": "raise ValueError",
    "stop": "raise StopIteration",
    "generator": "raise GeneratorExit",
    "oserror": "open('/nonexistent/x')",
    "unicode": "raise ValueError('\\udcff')",
    "str": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    "interrupt that is none": "raise type('KeyboardInterrupts', (Exception,), {})",
}
PLACES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "missing": lambda path: None,
    "link to itself": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "holes": lambda path: (path.touch(), os.truncate(path, 2**33)),
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, source in SOURCES.items():
        yield Case("plugin", name, _source(source), "mine.py")
    for name, line in LINES.items():
        yield Case("plugin", f"{name} when it is run", _source(f"{line}\n{HEAD}{LOSS}", run=True), "mine.py")
    for name, make in PLACES.items():

        def give(folder: Path, make: Any = make) -> Callable[[], Any]:
            make(folder / "mine.py")
            return lambda: plugins.activate(["mine.py"])

        yield Case("plugin", name, give, "mine.py")


def _source(source: str | bytes, *, run: bool = False) -> Callable[[Path], Callable[[], Any]]:
    def give(folder: Path) -> Callable[[], Any]:
        (folder / "mine.py").write_bytes(source if isinstance(source, bytes) else source.encode())

        def use() -> None:
            plugins.activate(["mine.py"])
            if run:
                registry.find("loss", "mine")

        return use

    return give
