"""Overrides and YAML files of one's own that make no config."""

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from dmf_cli import conf_files
from dmf_cli.config import composer, hydra_settings
from tests.bad_inputs.answer import Case
from tests.config.test_absurd import LISTS, MEANINGLESS
from tests.config.test_messages import TYPOS, WRONG

# Grammar of overrides, none of which is one.
GRAMMAR = (
    *("", "=", "==", "=1", "a=", "a", "+", "~", "+=1", "++", "~~seed", "++seed", ".=1", "..=1", "trainer.=1"),
    *(".trainer.epochs=1", "trainer..epochs=1", "trainer.epochs.=1", "trainer epochs=1"),
    *("trainer.epochs =1x", "a b=1"),
    *("seed=[", "seed=]", "seed={", "seed=}", "seed={a", "seed={a:}", "seed=[1,", "seed=(1", "seed='1"),
    *('seed="1', "seed=${", "seed=${}", "seed=${a", "seed=$}", "seed=${oc.env:}", "seed=${oc.nothing:1}"),
    *("seed=${seed}", "seed=${trainer}", "seed=${trainer.epochs}", "seed=${oc.create:{a:1}}"),
    *("seed=1 2", "seed=0x1", "seed=1_", "seed=--1", "seed=1e", "seed=1e5000", "seed=-inf", "seed=nan"),
    *("seed=range(3)", "seed=choice(1,2)", "seed=interval(0,1)", "seed=glob(*)", "seed=shuffle(1)"),
    *("seed=int(a)", "seed=str(1", "seed=extend_list(1)", "seed=sort(2,1)", "seed=tag(a)", "seed=nothing(1)"),
    *("seed@a=1", "model@=unet", "model@a.b=unet", "model@_global_=unet", "@=1", "model:=unet"),
    *("/model=unet", "model/=unet"),
    *("../model=unet", "model=../model/unet", "model=/etc/passwd", "model=unet/unet"),
    *("model=[unet,]", "model=[unet,unetpp]", "model={name: unet}", "model='unet '", "model=UNET2"),
    *("model=*", "model=?"),
    *("weighting=null", "weighting=1", "weighting=true", "weighting=''", "weighting=[]", "weighting={}"),
    *("loss=+", "loss=dice+", "loss=+dice", "loss=dice++bce", "loss=dice-bce", "loss=dice*bce", "loss=dice:"),
    *("loss=dice:x", "loss=dice:-1", "loss=dice:0", "loss=dice:nan", "loss=dice:1e400", "loss=-1*dice"),
    *("loss=0*dice", "loss=dice:1:2", "loss=dice bce", "loss='dice+bce+'", "loss=inf*dice"),
    *("loss=1e999*dice", "loss=dice:1e"),
    *("loss=__import__", "loss=term/dice", "loss=dice+term/bce", "loss=${model.name}", "loss=..", "loss=/"),
    *("hydra.run.dir=x", "hydra.sweep.dir=x", "hydra.job.chdir=true", "hydra.verbose=true"),
    *("hydra.nothing=1", "hydra.job.nothing=1"),
    *("hydra.callbacks={a: {_target_: os.system}}", "hydra.launcher._target_=os.system", "hydra=1"),
    *("hydra.job.env_set.A=b", "hydra.searchpath=1", "hydra.searchpath=[1]", "hydra.searchpath={a: 1}"),
    *("hydra.output_subdir=x", "hydra.mode=MULTIRUN", "hydra.job_logging=null2", "hydra/launcher=nothing"),
    *("trainer._target_=os.system", "+_target_=os.system", "+model._target_=os.system", "defaults=[]"),
    *("+defaults=[a]", "~model", "~loss", "~seed", "~weighting.name", "~dataset", "~trainer.epochs=7"),
    *("plugins=nothing.py", "plugins=[", "plugins={a: 1}", "plugins=/", "plugins=..", "plugins=[1]"),
    *("seed=\x1b[2J", "seed=a\nb", "run_dir='a\tb'", 'output_root="a\x1b[31m"', "loss=di\u202ece"),
    *("s\x07d=1", "\x1b=1"),
    *("dataset.image_size=[]", "dataset.image_size=[32]", "dataset.image_size=[32,32,32]"),
    *("dataset.image_size=-32", "dataset.image_size=[32,-32]", "dataset.image_size=[32,a]"),
    *("dataset.image_size=1e9", "dataset.image_size={a: 1}", "dataset.image_size=[[32],32]"),
    *("split.fractions=[]", "split.fractions=[1]", "split.fractions=[a,b,c]", "split.fractions=3"),
    *("split.fractions=[0.5,0.6,-0.1]", "split.fractions=[nan,nan,nan]"),
    *("split.fractions={}", "split.folds=1", "split.folds=-3", "split.fold=9", "split.folds=3.5"),
    *("split.file=5", "split.file=[a]", "model.weights=[a]", "model.weights={}", "trainer.monitor=5"),
    *("trainer.monitor=nothing", "trainer.backend=[jax]", "trainer.device=gpu:x", "trainer.device=-1"),
    *("metrics=nothing", "metrics=full+", "metrics=full+nothing", "metrics=+full", "metrics.tolerance=a"),
    *("seed=" + "9" * 400, "seed=" + "[" * 200, "seed=" + "a" * 200_000, "x" * 5000 + "=1"),
    *("seed=" + "${seed}" * 40, "seed=" + "${oc.decode:" * 12 + "1" + "}" * 12),
)  # fmt: skip
HEAD = "# @package _global_\n"
_CHAIN = "\n".join(f"  a{i}: '{f'${{tune.a{i + 1}}}' * 9}'" for i in range(9))
# What stands in an experiment of one's own.
BODIES: dict[str, str | bytes] = {
    "text": "hello",
    "number": "5",
    "list": "[1, 2]",
    "open": "a: [",
    "brace": "a: }",
    "tab": "a:\n\tb: 1",
    "indent": "a: 1\n  b: 2",
    "colon": "a: b: c",
    "quote": "a: 'b",
    "twice": "seed: 1\nseed: 2",
    "documents": "seed: 1\n---\nseed: 2",
    "nul": b"seed: \0",
    "not utf-8": b"seed: \xff\xfe",
    "utf-16": "seed: 1".encode("utf-16"),
    "escape": 'run_dir: "a\\e[2J"',
    "newline": 'run_dir: "a\\nb"',
    "line": 'run_dir: "a\\u2028b"',
    "bidi": 'run_dir: "a\\u202eb"',
    "tag": "seed: !!python/object/apply:os.system [id]",
    "tag 2": "seed: !!python/name:os.system",
    "tag 3": "seed: !mine 1",
    "target": "model: {_target_: os.system}",
    "target at the top": "_target_: os.system",
    "callback": "hydra: {callbacks: {a: {_target_: os.system}}}",
    "launcher": "hydra: {launcher: {_target_: os.system}}",
    "environment": "hydra: {job: {env_set: {A: b}}}",
    "logging": "hydra: {job_logging: {a: {(): os.system}}}",
    "unknown key": "sed: 1",
    "deep unknown": "trainer: {epohcs: 1}",
    "group is a value": "trainer: 5",
    "group is a list": "model: [unet]",
    "group is null": "model: null",
    "key is null": "trainer: {epochs: null}",
    "key is a list": "trainer: {epochs: [1]}",
    "text for a number": "trainer: {epochs: many}",
    "date": "seed: 2020-01-01",
    "octal": "trainer: {epochs: 0o7x}",
    "infinite": "trainer: {epochs: .inf}",
    "nan": "optimizer: {learning_rate: .nan}",
    "sexagesimal": "trainer: {epochs: '1:30'}",
    "alias": "seed: *nothing",
    "circle": "a: &a [*a]",
    "merge": "a: &a\n  b: {<<: *a}",
    "merge of a number": "a: {<<: 5}",
    "bomb": "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)),
    "deep": "a: " + "[" * 5000,
    "deep 2": "- " * 500 + "x",
    "long": "a: " + "x" * 2_000_000,
    "many": "[" + "1," * 200_000 + "]",
    "references": f"tune:\n{_CHAIN}",
    "reference to nothing": "seed: ${nothing}",
    "reference to itself": "seed: ${seed}",
    "circle of references": "seed: ${trainer.epochs}\ntrainer: {epochs: ${seed}}",
    "resolver": "seed: ${nothing:1}",
    "variable": "seed: ${oc.env:DMF_NO_SUCH}",
    "open reference": "seed: ${a",
    "made": "seed: ${oc.create:{a:1}}",
    "defaults is a text": "defaults: 5",
    "defaults of nothing": "defaults: [nothing]",
    "defaults of no option": "defaults: [{override /model: nothing}]",
    "defaults of itself": "defaults: [/experiment/bad]",
    "defaults nested": "defaults: [[a]]",
    "defaults twice": "defaults: [{/model: unet}]",
    "key is a number": "5: 1",
    "key is a list ": "[1]: 2",
    "key is null ": "null: 1",
    "key with a dot": "trainer.epochs: 3",
    "huge number": "seed: " + "9" * 5000,
    "seed below": "seed: -1",
    "too many terms": "loss: {terms: {nothing: {}}}",
}


def cases() -> Iterator[Case]:
    """All of them."""
    for word in (*TYPOS, *WRONG, *GRAMMAR):
        yield Case("override", word[:60], functools.partial(_train, [word]))
    for words, _ in (*MEANINGLESS, *LISTS):
        yield Case("override", " ".join(words)[:60], functools.partial(_train, words))
    for name, body in BODIES.items():
        yield Case("YAML", name, functools.partial(_experiment, body))
    for name, make in PLACES.items():
        yield Case("YAML", name, functools.partial(_placed, make))


def _train(words: list[str], _: Path) -> Callable[[], object]:
    """As ``dmf train`` composes, which would go on to train with what it accepts."""

    def compose() -> None:
        found = composer.compose_raw(words, hydra=True)
        hydra_settings.check(hydra_settings.detached(found))
        composer.finish(found, words)

    return compose


def _experiment(body: str | bytes, folder: Path) -> Callable[[], object]:
    (folder / "experiment").mkdir()
    content = body if isinstance(body, bytes) else f"{HEAD}{body}\n".encode()
    (folder / "experiment/bad.yaml").write_bytes(content)
    return _train([*conf_files.own_configs(folder), "experiment=bad"], folder)


def _placed(make: Callable[[Path], object], folder: Path) -> Callable[[], object]:
    (folder / "experiment").mkdir()
    make(folder / "experiment/bad.yaml")
    return _train([*conf_files.own_configs(folder), "experiment=bad"], folder)


PLACES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "missing": lambda path: None,
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to itself": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "holes": lambda path: os.truncate(_touched(path), 2**33),
    "JSON with NUL": lambda path: path.write_text(json.dumps({"seed": "\0"})),
}


def _touched(path: Path) -> Path:
    path.touch()
    return path
