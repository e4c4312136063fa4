"""Words after each command that it cannot do anything with."""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from dmf_cli.cli.main import COMMANDS
from tests.bad_inputs.answer import Case

TAKE_RUN = ("resume", "extend", "eval", "predict", "export", "report", "compare", "replay")
LINES: dict[str, list[str]] = {
    "unknown option": ["--nothing"],
    "unknown option with a value": ["--nothing=5"],
    "unknown letter": ["-Q"],
    "option with a control character": ["--\x1b[2J"],
}
FILES = ("config.yaml", "status.json")


def _both(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """A folder in which both files of a run are made so."""
    return lambda path: (path.mkdir(), [make(path / name) for name in FILES])


def _one(name: str, text: str) -> Callable[[Path], object]:
    return lambda path: (path.mkdir(), (path / name).write_text(text))


RUNS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "file": lambda path: path.write_text("x"),
    "empty folder": Path.mkdir,
    "pipe": os.mkfifo,
    "link to itself": lambda path: path.symlink_to(path),
    "config alone": _one("config.yaml", "a: 1\n"),
    "status alone": _one("status.json", "{}"),
    "folders in place of files": _both(Path.mkdir),
    "pipes in place of files": _both(os.mkfifo),
    "empty files": _both(Path.touch),
    "text": _both(lambda path: path.write_text("hello")),
}
MORE = {
    "extend": ["trainer.epochs=90"], "predict": ["nothing"], "replay": ["weighting=var"], "compare": ["run2"],
}  # fmt: skip
# Words of which each line is a command.
OTHERS = """
resume ~nobody_xyz/run
train dataset=folder dataset.dir=~nobody_xyz/x
nothing
trian
--nothing
-x
help nothing
TRAIN
...
data
data nothing
data --nothing
data check dataset=nothing
data check nothing
data show dataset=folder
data check dataset=folder dataset.dir=/nonexistent
data check dataset=table dataset.table=/nonexistent.csv
data prepare dataset=nothing
list nothing
list losses more words
new
new nothing
new loss
new loss dice
new loss 1a
new loss ../a
new loss nan
completion
completion fish2
check nothing
check loss=nothing
check plugins=nothing.py
check model=nothing
check loss=dice loss.terms.dice.smoth=1
doctor nothing
plan nothing
plan budget=x
plan dataset=nothing
plan memory=x
tune nothing
tune trials=x
tune study=/dev/null/x
train -m seed=a,b
train --cfg nothing
train --resolve
train --config-dir nothing
train --config-dir
train --config-name nothing --cfg job
train --loss dice
train plan=nothing
train plan=auto budget=-1h
train plan=auto budget=x
train run_dir=/dev/null/x trainer.epochs=0
train -m seed=0,1 loss=nothing
train --dry-run seed=-1,2
extend run
replay run
predict run
eval
export
resume
predict
compare
report
replay
report run -o
compare run --metric
resume run more
eval split=test
eval a=b c=d
"""
ODD: list[list[str]] = [
    ["resume", "x" * 5000],
    ["report", "x/" * 3000],
    ["data", "check", "dataset=folder", "dataset.dir=" + "x" * 5000],
    ["\x1b[2J"],
    ["train "],
    ["new", "loss", "a b"],
    ["new", "loss", "\x1b[2J"],
]


def cases() -> Iterator[Case]:
    """All of them."""
    for command in COMMANDS:
        for name, words in LINES.items():
            yield Case("command", f"{command}: {name}", functools.partial(_given, [command, *words]))
    for command in TAKE_RUN:
        for name, make in RUNS.items():
            words = [command, "run", *MORE.get(command, [])]
            yield Case("run folder", f"{command}: {name}", functools.partial(_made, words, make), "run")
    for words in (*map(str.split, OTHERS.strip().splitlines()), *ODD):
        yield Case("command", " ".join(words), functools.partial(_given, words))


def _given(words: list[str], _: Path) -> list[str]:
    return words


def _made(words: list[str], make: Callable[[Path], object], folder: Path) -> list[str]:
    make(folder / "run")
    return words
