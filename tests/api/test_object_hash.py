"""Hashes of objects: the same for the same code in every process, and another one for anything else."""

import functools
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dmf_cli.api.object_hash import of


def cell(code, **variables):
    """What a cell of a notebook has as ``part``."""
    namespace = {"__name__": "__main__", **variables}
    exec(code, namespace)
    return namespace["part"]


def array(middle=0.0):
    values = np.zeros(5000)
    values[2500] = middle
    return values


GLOBAL = "def part(y): return K * y"
CLOSURE = "def make(w):\n    def inner(y): return w * y\n    return inner\npart = make(W)"
HELPER = "def helper(y): return {} * y\ndef part(y): return helper(y)"
CLOSED = "def make(h):\n    return lambda y: h(y)\ndef helper(y): return {} * y\npart = make(helper)"
INNER = "def part(y): return [(lambda z: K * z)(one) for one in y]"
ATTRIBUTE = """
class Loss:
    def __init__(self, w): self.w = w
    def __call__(self, y): return self.w * y
part = Loss(W)
"""
BASE = "class Base:\n    k = {}\nclass part(Base):\n    def update(self): return self.k"
METHOD = "class part:\n    @staticmethod\n    def update(): return {}"
PROPERTY = "class part:\n    @property\n    def k(self): return {}"
DATA = """
from dataclasses import dataclass, field
@dataclass
class part:
    k: list = field(default_factory=lambda: [{}])
"""
CIRCLE = "class part:\n    def again(self): return part, super().__init__(), K"


@pytest.mark.parametrize(
    ("code", "one", "other"),
    [
        (GLOBAL, {"K": 1}, {"K": 100}),
        (GLOBAL, {"K": 1}, {"K": 1.0}),
        (GLOBAL, {"K": array()}, {"K": array(1)}),
        (GLOBAL, {"K": array()}, {"K": array().astype("float32")}),
        (GLOBAL, {"K": {"a": [array()]}}, {"K": {"a": [array(1)]}}),
        (GLOBAL, {"K": functools.partial(max, array())}, {"K": functools.partial(max, array(1))}),
        (INNER, {"K": 1}, {"K": 2}),
        (CLOSURE, {"W": array()}, {"W": array(1)}),
        (ATTRIBUTE, {"W": array()}, {"W": array(1)}),
        (CIRCLE, {"K": 1}, {"K": 2}),
        ("def part(y, *, k=K): return k", {"K": array()}, {"K": array(1)}),
        ("def part(y): return y\npart.k = K", {"K": array()}, {"K": array(1)}),
        ("import functools\n@functools.cache\ndef part(y): return K", {"K": 1}, {"K": 2}),
    ],
)
def test_values_that_the_code_uses_decide(code, one, other):
    assert of(cell(code, **one)) == of(cell(code, **one)) != of(cell(code, **other))


@pytest.mark.parametrize("code", [HELPER, CLOSED, BASE, METHOD, PROPERTY, DATA, "part = lambda y: {} * y"])
def test_code_that_the_code_uses_decides(code):
    one, other = code.format("1"), code.format("2")
    assert of(cell(one)) == of(cell("\n\n" + one)) != of(cell(other))


def test_two_functions_of_one_line_differ():
    first, second = [lambda y: y + 1, lambda y: y + 2]
    assert of(first) != of(second)


def test_what_a_name_means_elsewhere_does_not_matter():
    code = "def part(y): return y.mean()"
    assert of(cell(code, mean=1)) == of(cell(code, mean=2))


@pytest.mark.parametrize("imported", ["import mine_{0} as mine", "from mine_{0} import K"])
@pytest.mark.parametrize("inside", [False, True])
def test_modules_of_the_user_decide_and_those_of_packages_are_names(tmp_path, monkeypatch, imported, inside):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"{inside}_{len(imported)}"
    (tmp_path / f"mine_{name}.py").write_text("import numpy\nK = 1\n")
    line, value = imported.format(name), "mine.K" if " as " in imported else "K"
    code = (
        f"def part(y):\n    {line}\n    return {value}" if inside else f"{line}\ndef part(y): return {value}"
    )
    before = of(cell(code))
    assert before == of(cell(code))
    sys.modules[f"mine_{name}"].K = 2
    assert of(cell(code)) != before


@pytest.mark.parametrize(
    "code", [CLOSED.format(1), BASE.format(1), "part = lambda y: y in {'a', 'b', 'c', 'd'}"]
)
def test_another_process_gives_the_same(code):
    """Addresses and the order of sets are others there."""
    script = f"from dmf_cli.api.object_hash import of\nexec({code!r})\nprint(of(part))"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == of(cell(code))


def test_what_cannot_be_read_is_like_no_other():
    made = [cell(GLOBAL, K=one) for one in (threading.Lock(), threading.Lock(), (one for one in "ab"))]
    assert len({of(one) for one in made}) == 3
    assert of(made[0]) == of(made[0])
