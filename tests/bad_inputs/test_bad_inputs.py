"""Bad inputs: a part of those of ``scripts/bad_inputs.py``, and whatever Hypothesis makes of good ones."""

import functools

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dmf_cli import escapes
from dmf_cli.config import composer, literal
from dmf_cli.datasets.sources import image_files
from dmf_cli.errors import ConfigError, DmfError
from dmf_cli.run_folder import checkpoint_file, index
from tests.bad_inputs import answer, commands, configs, files, plugins, runs, values
from tests.docs.scripts import load

# Kind -> every which of its inputs is given here: to compose a config takes a third of a second.
EVERY = {
    "override": 40,
    "YAML": 12,
    "command": 14,
    "run folder": 2,
    "config.yaml of a run": 30,
    "file of a run": 3,
    "checkpoint": 2,
    "network": 2,
    "image": 3,
    "mask": 5,
    "table": 2,
    "folder of images": 3,
    "plugin": 2,
}
# What was answered badly once: these are always given.
MENDED = {
    "command": ("new loss nan", "resume ~nobody_xyz/run", "train dataset=folder dataset.dir=~nobody_xyz/x"),
    "run folder": ("resume: link to itself", "report: link to itself"),
    "override": ("model=[unet,unetpp]", "model={name: unet}", "weighting={}", "model=../model/unet"),
    "YAML": ("defaults of itself", "references"),
    "table": ("long name", "more cells", "spacing 1e300"),
    "plugin": ("base when it is run", "generator when it is run", "str when it is run"),
    "config.yaml of a run": ("number",),
    "checkpoint": ("another file", "note [[[[[[[[[[[[[[[[[[[["),
    "file of a run": ("metrics/test_per_image.csv above 1",),
}
HEAVY = ("data check", "check ", "plan ", "tune ", "replay: ")  # they import TensorFlow or SciPy
TABLES = (commands, configs, files, plugins, runs)


ALL = [case for table in TABLES for case in table.cases()]


def chosen():
    counts = dict.fromkeys(EVERY, 0)
    for case in ALL:
        counts[case.kind] += 1
        drawn = counts[case.kind] % EVERY[case.kind] == 0 and not case.name.startswith(HEAVY)
        if drawn or case.name in MENDED.get(case.kind, ()):
            yield case


@pytest.mark.parametrize("case", list(chosen()), ids=lambda case: f"{case.kind}: {case.name!a}"[:80])
def test_it_is_answered_in_one_line_that_names_it(case, tmp_path):
    assert answer.fault(case, tmp_path) == ""


def test_no_value_of_a_config_is_accepted_beyond_its_range(tmp_path, monkeypatch):
    monkeypatch.setattr(values.conf_files, "options", lambda group: ["unet"] if group == "model" else [])
    made = list(values.cases())
    assert len(made) > 500
    assert [one.name for one in made if answer.fault(one, tmp_path)] == []


def test_there_are_more_than_a_thousand_of_them():
    names = [(case.kind, case.name) for case in ALL]
    assert len(set(names)) > 1500
    assert {kind for kind, _ in names} == EVERY.keys()
    assert {(kind, name) for kind, mended in MENDED.items() for name in mended} <= set(names)


def _refuse():
    raise ConfigError(path="a.png", reason="is none")


def test_the_script_says_what_is_answered_badly(monkeypatch, capsys):
    script = load("bad_inputs")
    made = [
        answer.Case("image", "broken", lambda folder: lambda: index.read(folder / "x").status["state"]),
        answer.Case("mask", "accepted", lambda folder: lambda: None),
        answer.Case("mask", "changed", lambda folder: lambda: ((folder / "a").touch(), _refuse())),
        answer.Case("mask", "not named", lambda folder: _refuse, "b.png"),
        answer.Case("mask", "right", lambda folder: _refuse, "a.png"),
    ]
    monkeypatch.setattr(script, "TABLES", [type("Table", (), {"cases": lambda: made})])
    monkeypatch.setattr("sys.argv", ["bad_inputs.py"])
    assert script.main() == 1
    *said, image, mask, every = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in said] == [
        f"BAD {one.kind} {one.name!r}" for one in made if one.name != "right"
    ]
    assert [line.split()[1:4:2] for line in (image, mask, every)] == [["1", "1"], ["4", "3"], ["5", "4"]]


def said(function):
    """What ``function`` refuses something with; empty if it does not."""
    try:
        function()
    except DmfError as error:
        return str(error)
    return ""


SIGNS = st.text(st.characters(max_codepoint=0x2070), max_size=12)
ONCE = [Phase.generate]  # each costs half a second: none is looked for that is smaller


@settings(max_examples=5, phases=ONCE)
@given(key=st.sampled_from(["seed", "trainer.epochs", "model", "loss", "x", ""]), value=SIGNS)
def test_whatever_is_typed_is_a_config_or_one_line(key, value):
    line = said(lambda: literal.check(composer.compose([f"{key}={value}"]).plain))
    assert not escapes.hides(line)


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_a_file_became_is_read_or_one_line(tmp_path_factory, data):
    suffix = data.draw(st.sampled_from([*files.FORMATS, "npz"]))
    whole = runs.checkpoint() if suffix == "npz" else files.saved(suffix)
    changed = bytearray(whole)
    places = st.integers(0, len(whole) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=20)):
        changed[place] = byte
    file = tmp_path_factory.mktemp("changed") / f"a.{suffix}"
    file.write_bytes(changed)
    of_images = [image_files.open_image, image_files.image_size]
    for read in [checkpoint_file.newest] if suffix == "npz" else of_images:
        line = said(functools.partial(read, file))
        assert not line or (str(file) in line and "\n" not in line)
