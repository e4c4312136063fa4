"""Run folders, checkpoints and files of networks that are damaged, edited or made by somebody else."""

import copy
import functools
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dmf_cli import config as configs
from dmf_cli.comparison import loading
from dmf_cli.inference import network_description, network_weights
from dmf_cli.run_folder import cases as pictures
from dmf_cli.run_folder import checkpoint_file
from tests.bad_inputs.answer import Case
from tests.keys import keys_of
from tests.report.conftest import write_run
from tests.run_folder.test_edited import COMMANDS

# Commands that say what is wrong with a run before they import Keras.
READ = [words for name, words in COMMANDS.items() if name not in ("report", "sweep", "compare", "train")]
NEVER = {"mapping": {"a": {"b": [1]}}, "escape": "\x1b[2J", "reference": "${oc.env:HOME}", "bidi": "\u202ex"}
DEEP = 100_000
# What no JSON file of a run is.
TEXTS: dict[str, bytes] = {
    "empty": b"",
    "brace": b"{",
    "list": b"[1, 2]",
    "number": b"5",
    "null": b"null",
    "text": b'"text"',
    "words": b"hello",
    "not UTF-8": b"\xff\xfe{}",
    "NUL": bytes(100),
    "deep": b"[" * DEEP,
    "deep mapping": b'{"a":' * DEEP,
    "long number": b'{"a": ' + b"9" * 5000 + b"}",
    "two": b"{}{}",
    "large": b'{"state": "completed", "a": "' + b"x" * 2**25 + b'"}',
}
CSV: dict[str, bytes] = {
    "empty": b"",
    "no rows": b"id,foreground.dice\n",
    "no score": b"id,other\na,1\n",
    "text": b"id,foreground.dice\na,good\n",
    "infinite": b"id,foreground.dice\na,inf\n",
    "undefined": b"id,foreground.dice\na,\n",
    "not UTF-8": b"id,foreground.dice\n\xff,1\n",
    "NUL": bytes(1000),
    "endless line": b"id,foreground.dice\n" + b"x" * 2**21,
    "no id": b"foreground.dice\n1\n",
    "too few cells": b"id,foreground.dice\na\n",
    "above 1": b"id,foreground.dice\na,7e300\n",
    "quote": b'id,foreground.dice\n"a,1\n' + b"x,1\n" * 50_000,
}
PLACES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "link to itself": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "missing": lambda path: None,
}
JSON = {"status.json": "status.json", "split.json": "split.json", "metrics/test_summary.json": "test_summary"}


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _of_configs()
    yield from _of_files()
    yield from _of_checkpoints()
    yield from _of_networks()


@functools.cache
def _config() -> Any:
    return configs.compose(["trainer.epochs=4", "dataset.image_size=32"])


@functools.cache
def _files() -> dict[str, bytes]:
    """The files of a completed run."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write_run(Path(folder) / "run", _config())
        (path / "checkpoints/best.keras").write_bytes(b"weights")
        return {
            str(f.relative_to(path)): f.read_bytes()
            for f in path.rglob("*")
            if f.is_file() and f.name != "insight.csv"
        }


def _written(folder: Path, but: str = "", content: bytes | None = None) -> Path:
    """A completed run in ``folder``, with another content of one file, or without it."""
    for name, data in _files().items():
        file = folder / "run" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name != but or content is not None:
            file.write_bytes(content if name == but and content is not None else data)
    for name in ("checkpoints", "plots"):
        (folder / "run" / name).mkdir(exist_ok=True)
    return folder / "run"


def _words(number: int) -> list[str]:
    return [word.replace("RUN2", "run").replace("RUN", "run") for word in READ[number % len(READ)]]


def _of_configs() -> Iterator[Case]:
    text = configs.to_yaml(_config())
    lines = text.splitlines(keepends=True)
    number = 0
    plain = yaml.safe_load(text)
    for path in keys_of(plain):
        for name, value in NEVER.items():
            changed = copy.deepcopy(plain)
            node = functools.reduce(lambda one, key: one[key], path[:-1], changed)
            if isinstance(node[path[-1]], dict) and name == "mapping":
                continue
            node[path[-1]] = value
            body = yaml.safe_dump(changed, allow_unicode=False).encode()
            said = f"{'.'.join(map(str, path))}={name}"
            yield _of_config(said, number := number + 1, body)
    for kept in range(len(lines)):
        yield _of_config(f"cut after line {kept}", number := number + 1, "".join(lines[:kept]).encode())
    for kept in range(17, len(text), 97):
        yield _of_config(f"cut after byte {kept}", number := number + 1, text[:kept].encode())
    for name, content in TEXTS.items():
        yield _of_config(name, number := number + 1, content)
    for tag in ("!!python/object/apply:os.system [id]", "!!python/name:os.system", "!x 1", "*nothing"):
        body = text.replace("seed: 0\n", f"seed: {tag}\n").encode()
        yield _of_config(f"seed: {tag}", number := number + 1, body)


def _of_config(name: str, number: int, body: bytes) -> Case:
    def give(folder: Path) -> list[str]:
        _written(folder, "config.yaml", body)
        return _words(number)

    return Case("config.yaml of a run", name, give, "config.yaml")


def _of_files() -> Iterator[Case]:
    for file, names in JSON.items():
        for name, content in TEXTS.items():
            yield _of_file(file, name, names, functools.partial(_written, but=file, content=content))
    for name, content in CSV.items():
        file = "metrics/test_per_image.csv"
        named = (
            ""
            if name in ("undefined", "too few cells")
            else "per_image"
            if name != "no score"
            else "foreground.dice"
        )
        yield _of_file(file, name, named, functools.partial(_written, but=file, content=content))
    for file in ("config.yaml", *JSON, "metrics/test_per_image.csv"):
        for name, make in PLACES.items():

            def write(folder: Path, file: str = file, make: Any = make) -> Path:
                run = _written(folder, file)
                make(run / file)
                return run

            yield _of_file(file, name, file.split("/")[-1], write)
    for name, content in {**TEXTS, "text for a list": b'[{"id": 5}]', "no files": b'[{"id": "a"}]'}.items():
        write = functools.partial(_written, but="predictions/test_cases/cases.json", content=content)
        yield _of_pictures(f"cases.json {name}", write)
    for file in [one for one in _files() if one.endswith(".png") and "test_cases" in one][:3]:
        whole = _files()[file]
        for name, content in (("empty", b""), ("text", b"text"), ("half", whole[: len(whole) // 2])):
            yield _of_pictures(f"{file} {name}", functools.partial(_written, but=file, content=content))
    for file in ("epochs.csv", "steps.csv", "environment.json", "split.json", "train.log", "status.json"):
        for name, content in {**TEXTS, **CSV}.items():
            if name not in ("large", "deep mapping"):
                write = functools.partial(_written, but=file, content=content)
                yield Case("file of a run", f"report with {file} {name}", _report(write), may_pass=True)


def _report(write: Callable[[Path], Path]) -> Callable[[Path], Callable[[], Any]]:
    def give(folder: Path) -> Callable[[], Any]:
        from dmf_cli.report import reading

        run = write(folder)
        return lambda: reading.read(run)

    return give


def _of_file(file: str, name: str, names: str, write: Callable[[Path], Path]) -> Case:
    def give(folder: Path) -> Callable[[], Any]:
        run = write(folder)
        return lambda: loading.load(run, "foreground.dice")

    may_pass = (file, name) == ("split.json", "large")
    return Case("file of a run", f"{file} {name}", give, names, may_pass)


def _of_pictures(name: str, write: Callable[[Path], Path]) -> Case:
    def give(folder: Path) -> Callable[[], Any]:
        run = write(folder)
        return lambda: pictures.read(run / "predictions/test_cases")

    return Case("file of a run", name, give, "test_cases")


def checkpoint(note: Any = None, **arrays: Any) -> bytes:
    buffer = io.BytesIO()
    note = json.dumps({"epoch": 1}) if note is None else note
    np.savez(buffer, **{"model/0000": np.zeros((9, 9), np.float32), "note": np.array(note), **arrays})
    return buffer.getvalue()


def _of_checkpoints() -> Iterator[Case]:
    whole = checkpoint_file.sealed(io.BytesIO(checkpoint()))
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        flipped = bytearray(whole)
        flipped[at] ^= 0x41
        yield _of_checkpoint(f"byte {at} is another", bytes(flipped))
        yield _of_checkpoint(f"cut at byte {at}", whole[:at])
    for note in ("", "{", "[]", "5", "{}", '{"epoch": null}', '{"epoch": "1"}', '{"epoch": 1.5}', "[" * DEEP):
        yield _of_checkpoint(f"note {note[:20]}", checkpoint(note))
    yield _of_checkpoint("note of numbers", checkpoint(np.zeros(3)))
    yield _of_checkpoint("note of bytes", checkpoint(np.array(b"{}")))
    yield _of_checkpoint("objects", _with("b.npy", _npy(np.array([{}], dtype=object))))
    yield _of_checkpoint("no array", _with("b.npy", b"hello"))
    yield _of_checkpoint("an array that says to be larger", _with("b.npy", _npy(np.zeros(9))[:-8]))
    yield _of_checkpoint("another file", _with("run.py", b"import os"))
    yield _of_checkpoint("a path", _with("../../b.npy", b""))
    for name, content in TEXTS.items():
        yield _of_checkpoint(name, content)
    yield from _of_places("checkpoint", "last.npz", checkpoint_file.newest)


def _of_places(kind: str, file: str, read: Callable[[Path], Any]) -> Iterator[Case]:
    """What is no file in the place of ``file``, which ``read`` reads."""
    for name, make in PLACES.items():

        def give(folder: Path, make: Any = make) -> Callable[[], Any]:
            if make is not PLACES["link"]:
                make(folder / file)
            return lambda: read(folder / file)

        yield Case(kind, name, give, file)


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _with(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO(checkpoint())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _of_checkpoint(name: str, content: bytes) -> Case:
    def give(folder: Path) -> Callable[[], Any]:
        (folder / "last.npz").write_bytes(content)
        return lambda: checkpoint_file.newest(folder / "last.npz")

    return Case("checkpoint", name, give, "last.npz")


def _network(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def _weights() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("layers/a/vars/0", data=np.arange(300, dtype=np.float32))
    return buffer.getvalue()


def _of_networks() -> Iterator[Case]:
    weights = _weights()
    whole = _network(config__json=b"{}", model__weights__h5=weights)
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        yield _of_network(f"cut at byte {at}", whole[:at])
    for at in range(0, len(weights), max(1, len(weights) // 20)):
        yield _of_network(f"weights cut at byte {at}", _network(model__weights__h5=weights[:at]))
    for name, content in TEXTS.items():
        yield _of_network(name, content)
        yield _of_network(f"description {name}", _network(config__json=content, model__weights__h5=weights))
        yield _of_network(f"weights {name}", _network(config__json=b"{}", model__weights__h5=content))
    yield _of_network("no weights", _network(config__json=b"{}"))
    yield _of_network("no description", _network(model__weights__h5=weights))
    yield from _of_places("network", "best.keras", network_weights.shapes)


def _of_network(name: str, content: bytes) -> Case:
    def give(folder: Path) -> Callable[[], Any]:
        file = folder / "best.keras"
        file.write_bytes(content)

        def read() -> None:
            from dmf_cli.errors import CheckpointError

            network_weights.shapes(file)
            try:
                if network_description.unknown(network_description.read(file), {}) == []:
                    raise ValueError("describes nothing")
            except ValueError as error:  # as network_file says it
                raise CheckpointError(path=file, reason=f"cannot be read ({error})") from None

        return read

    return Case("network", name, give, "best.keras")
