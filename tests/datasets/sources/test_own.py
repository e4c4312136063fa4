"""``@dmf_cli.dataset``: a function or class of the user's own that yields cases."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.cli.main import main
from dmf_cli.config import moving
from dmf_cli.datasets import Case
from dmf_cli.datasets.case import as_case
from dmf_cli.datasets.input.run_data import make_split, open_data
from dmf_cli.datasets.sources.bad_files import BadFilesError
from dmf_cli.datasets.sources.survey import survey
from dmf_cli.errors import ConfigError, DatasetError, PluginError, UnreadableError
from dmf_cli.parts import plugins
from dmf_cli.run_folder.identity import run_id
from tests.raised import raises

PIXELS = """
import numpy as np
import dmf_cli
from dmf_cli.datasets import Case


def pixels(number):
    rng = np.random.default_rng(number)
    image = np.kron(rng.integers(0, 256, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[5 : 13 + number, 5 : 13 + number] = 1
    return image, mask
"""
GENERATOR = '''
@dmf_cli.dataset
def mine(*, count: int = 12, classes=("background", "tumour"), shift: float = 0.0):
    """Squares on noise.

    Args:
        count: how many images.
        shift: added to nothing.
    """
    assert classes[1] == "tumour", classes
    for number in range(count):
        image, mask = pixels(number)
        part = ("train", "val", "test")[max(0, number // 2 - 3)]
        name, patient = f"{'ab'[number % 2]}/{number:02d}", f"P{number // 2}"
        yield Case(name, image, mask, patient=patient, spacing=0.1, split=part)
'''
ON_DEMAND = """
CALLS = []

@dmf_cli.dataset
class mine:
    def __init__(self, *, count: int = 12):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        CALLS.append(number)
        image, mask = pixels(number)
        return f"{number:02d}", image, [mask, mask > 0], number // 2, ("a", "b")[number % 2], (0.1, 0.2)
"""


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with plugins.isolated():
        yield


def config(text, *words, name="mine"):
    """The config with the dataset of a plugin."""
    for known in plugins.active():
        plugins.remove(known)  # a process reads a file once
    Path(f"{name}.py").write_text(PIXELS + text)
    return configs.compose([f"plugins={name}.py", f"dataset={name}", "dataset.image_size=16", *words])


def opened(text, *words):
    return datasets.open_dataset(config(text, *words).dataset)


def yields(*cases, before="", first="i, m = pixels(0)"):
    """A function that yields these cases, on lines that are known."""
    lines = "".join(f"    yield {case}\n" for case in cases)
    return f"\n{before}\n@dmf_cli.dataset\ndef mine():\n    {first}\n{lines}"


def test_cases_of_a_generator_are_images(tmp_path):
    composed = config(GENERATOR)
    group = composed.plain["dataset"]
    assert (group["kind"], group["count"], group["classes"]) == ("own", 12, ["background", "tumour"])
    data = datasets.open_dataset(composed.dataset)
    assert (data.name, data.classes, data.channels) == ("mine", ("background", "tumour"), 1)
    assert data.ids == tuple(sorted(data.ids))
    at = data.ids.index("b/03")
    assert (data.strata[at], data.groups[at], data.parts[at]) == ("b", "P1", "train")
    assert data.pixel_size(at) == (0.1, 0.1)
    sample = data.load(at)
    assert (sample.image.shape, sample.image.dtype, int(sample.label.sum())) == ((64, 64, 1), np.uint8, 11**2)
    split = make_split(composed.split, data)
    assert tuple(map(len, (split.train, split.val, split.test))) == (8, 2, 2)
    assert opened(GENERATOR, "dataset.parts=pool").parts is None


def test_parameters_are_keys_that_are_checked():
    assert len(opened(GENERATOR, "dataset.count=9", "dataset.channels=3")) == 9
    with pytest.raises(ConfigError, match="did you mean 'count'"):
        config(GENERATOR, "dataset.cuont=9")
    with raises(ConfigError, key="dataset.count", value="many"):
        config(GENERATOR, "dataset.count=many")
    with raises(ConfigError, key="dataset.on_bad"):
        config(GENERATOR, "dataset.on_bad=perhaps")
    with raises(PluginError, key="kind", hint="another name"):
        config("@dmf_cli.dataset\ndef mine(*, kind=1):\n    yield 1\n")


def test_a_parameter_may_have_the_name_of_a_key_of_another_kind():
    text = "@dmf_cli.dataset\ndef mine(*, table='cases.csv', download=True):\n    yield 1, *pixels(0)\n"
    assert opened(text, "dataset.table=other.csv").ids == ("1",)


def test_cases_on_demand_are_asked_for_when_they_are_needed():
    data = opened(ON_DEMAND, "dataset.threshold=0")  # else all masks are looked at for it
    asked = sys.modules[plugins.active()[0].module].CALLS
    assert asked == list(range(12))
    asked.clear()
    data.fingerprint()
    assert asked == []
    assert int(data.load(3).label.sum()) == 11**2
    assert asked == [3]
    assert (data.groups[3], data.strata[3], data.pixel_size(3)) == ("1", "b", (0.1, 0.2))
    assert data.load(3).image.tolist() == opened(ON_DEMAND).load(3).image.tolist()
    assert len(survey(data, alike=True).good) == 12


def test_a_case_that_changes_is_told():
    text = ON_DEMAND.replace("image, mask = pixels(number)", "image, mask = pixels(len(CALLS) % 50)")
    data = opened(text)
    with pytest.raises(DatasetError, match="another image or mask of '03' than before: give the same pixels"):
        data.load(3)


def test_content_decides_the_fingerprint_and_places_do_not(tmp_path):
    one = opened(GENERATOR)
    assert opened(GENERATOR).fingerprint() == one.fingerprint()
    assert opened(GENERATOR, "dataset.count=11").fingerprint() != one.fingerprint()
    assert opened(GENERATOR, "dataset.parts=pool").fingerprint() != one.fingerprint()
    text = "@dmf_cli.dataset\ndef mine(*, dir='here'):\n    yield from ((n, *pixels(n)) for n in range(9))\n"
    composed = config(text, "dataset.dir=there")
    assert run_id(composed) == run_id(config(text))
    stored = configs.with_absolute_paths(composed)
    assert stored.dataset.params["dir"] == str(tmp_path / "there")
    assert moving.changed(stored, ["dataset.dir=/x"], moving.PLACES, "no").dataset.params["dir"] == "/x"


def test_files_and_pixels_may_be_mixed_and_masks_may_be_several(tmp_path):
    Image.fromarray(np.full((64, 64), 7, np.uint8)).save("a.png")
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).save("m.png")
    text = yields(
        "'a', 'a.png', 'm.png'",
        "'b', i / 255, m.astype(bool)",
        "'c', i.astype(np.uint16) * 257, ['m.png', m * 255]",
        "dict(id='d', image=np.stack([i] * 4, -1), mask=m[..., None])",
        "['e', Image.open('a.png'), np.ones((64, 64)) * 0.5]",
        before="from PIL import Image",
    )
    data = opened(text)
    assert data.ids == tuple("abcde")
    images = [data.load(i).image for i in range(5)]
    assert images[0][0, 0, 0] == images[4][0, 0, 0] == 7
    np.testing.assert_allclose(images[1], images[3], atol=1e-4)
    np.testing.assert_allclose(images[2], images[3], atol=1e-4)
    assert int(data.load(2).label.sum()) == 64 + 64 - 8
    assert [bool(data.load(i).label.any()) for i in range(5)] == [True] * 5


def test_label_maps_colours_and_ignored_pixels_are_read_as_those_of_files():
    text = yields("1, i, m * 2", "2, i, m * 2 - (m * 255) * (np.arange(64) > 9)")
    labels = opened(text.replace("m * 2 - (m", "np.where(np.arange(64) > 9, 255, m * 2) + 0 * (m"),
                    "dataset.classes=[a,b,c]", "dataset.ignore=255")  # fmt: skip
    assert set(np.unique(labels.load(0).label)) == {0, 2}
    assert set(np.unique(labels.load(1).label)) == {0, 2, 255}
    coloured = yields("1, i, np.stack([m * 255, 0 * m, 0 * m], -1)")
    assert opened(coloured, "dataset.values={black:0,red:1}").load(0).label.sum() == 64
    with pytest.raises(DatasetError, match=r"1 \(mask\) holds the value 2"):
        opened(text, "dataset.classes=[a,b,c]", "dataset.values={0:0,1:1}").load(0)


def test_a_buffer_that_is_used_again_is_copied():
    text = yields("1, b, b > 3", "2, b, b > 3", first="b = np.zeros((8, 8), np.uint8)").replace(
        "    yield 2", "    b[2:] = 9\n    yield 2"
    )
    assert opened(text).load(0).image.max() == 0


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("1", r"mine.py, line 16: dataset 'mine' yields a int, which is no case: give \(id, image, mask"),
        ("'x'", "yields a str, which is no case"),
        ("('a',)", "yields 1 values, which is no case"),
        ("{'id': 'a', 'image': i, 'label': m}", "yields a mapping with the key 'label', which is no case"),
        ("{'image': i}", "yields a mapping with no id or no image"),
        ("('', i, m)", "yields the id '': give a text such as benign/17"),
        ("('../a', i, m)", "yields the id '../a'"),
        ("('/a', i, m)", "yields the id '/a'"),
        ("(None, i, m)", "yields the id None"),
        ("('a', i, m, 'P', 's', -1)", "yields 'a' with the spacing -1: give millimetres"),
        ("('a', i, m, 'P', 's', 1, 'trian')", "yields 'a' with the split 'trian': give train, val or test"),
        ("1 / 0", "mine.py, line 18: dataset 'mine': ZeroDivisionError: division by zero: mend that line"),
        ("undefined", "mine.py, line 18: dataset 'mine': NameError: name 'undefined' is not defined"),
    ],
)
def test_what_is_no_case_is_one_line_with_its_place(case, says):
    with pytest.raises(PluginError, match=says) as caught:
        opened(yields(case))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (
            "'a', i, m[0]",
            r"a \(mask\) of mine.py, line 16: dataset 'mine' is uint8 \(64,\): give .* a label map",
        ),
        ("'a', i, np.stack([m] * 5, -1)", r"a \(mask\) of .* is uint8 \(64, 64, 5\)"),
        ("'a', np.stack([i] * 2, -1), m", r"a \(image\) of .* is uint8 \(64, 64, 2\): give the path"),
        ("'a', i > 3, m", r"a \(image\) of .* is bool \(64, 64\)"),
        ("'a', [[1], [1, 2]], m", r"a \(image\) of .* is a list"),
        ("'a', None, m", r"a \(image\) of .* is a NoneType"),
        ("'a', i[:0], m", r"is uint8 \(0, 64\)"),
        ("'a', i * np.nan, m", r"a \(image\) of .* holds NaN or infinity"),
        (
            "'a', 'gone.png', m",
            r"gone.png \(a \(image\)\) is not there: correct the path, which mine.py, line 16",
        ),
    ],
)
def test_pixels_that_cannot_be_used_are_bad_images_in_one_line(case, says):
    with pytest.raises(UnreadableError, match=says) as caught:
        opened(yields("'b', i, m", case))
    assert "\n" not in str(caught.value)
    data = opened(yields("'b', i, m", case), "dataset.on_bad=skip")
    assert (data.ids, list(data.unusable)) == (("b",), ["a"])


def test_several_bad_cases_are_reported_at_once():
    with pytest.raises(BadFilesError, match="2 images cannot be used"):
        opened(yields("'b', i, m", "'c', 'gone.png', m", "'a', i, m[0]"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (yields("'a', i, m", "'b', i, m", "'a', i, m"), "yields 'a' twice, as case 1 and 3: give each case"),
        (yields("'a', i, m", "'b', i"), r"yields no mask of 'b' \(1 of 2 cases have none\): add it, or set"),
        (
            yields("'a', i, m", "'b', i, m, None, None, None, 'val'"),
            "says no split of 1 of 2 cases, first 'a'",
        ),
        ("@dmf_cli.dataset\ndef mine():\n    return []\n", "dataset 'mine' yields no case"),
        ("@dmf_cli.dataset\ndef mine():\n    pixels(0)\n", "gives nothing, and no cases: let it yield cases"),
        ("@dmf_cli.dataset\ndef mine():\n    return 7\n", "gives a int, and no cases"),
        ("@dmf_cli.dataset\ndef mine():\n    return {'a': 1}\n", "yields a str, which is no case"),
    ],
)
def test_what_is_wrong_with_all_cases_is_one_line(text, says):
    with pytest.raises((DatasetError, PluginError), match=says) as caught:
        opened(text)
    assert "mine.py, line" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mask_of_another_size_and_greys_of_unknown_white_are_told():
    data = opened(yields("'a', i, m[:9]"))
    with raises(DatasetError, path="a (mask)", reason="is 64x9 pixels and its image a (image) 64x64"):
        data.load(0)
    text = yields("'a', i.astype(float), m", "'b', i / 255, m", "'c', i / 255, m")
    with raises(UnreadableError, path="a (image)", allowed="dataset.range=[LOW,HIGH]"):
        opened(text).load(0)
    assert opened(text, "dataset.range=[0,255]").load(0).image.max() <= 255
    assert len(opened(text, "dataset.on_bad=skip")) == 2
    assert len(opened(yields("'a', i, m[:9]", "'b', i, m"), "dataset.size_mismatch=skip")) == 1
    with raises(UnreadableError, reason="is 64x64, 4096 pixels"):
        opened(yields("'a', i, m"), "dataset.max_pixels=99").load(0)


def test_images_without_a_mask_have_no_lesion_if_they_may_have_none():
    assert not opened(yields("'a', i", "'b', i, m"), "dataset.missing_mask=empty").load(0).label.any()


def test_cases_may_be_tuples_and_empty_cells_of_pandas_are_nobody():
    nan = float("nan")
    assert as_case(("a", 1, 2)) == Case("a", 1, 2)
    data = opened(yields(*(f"'{n}', i + {n}, m, float('nan'), 'ab'[{n} % 2]" for n in range(4))))
    assert nan != nan
    assert (data.groups, data.strata) == (None, ("a", "b", "a", "b"))


def test_strata_are_chosen_and_the_others_counted():
    data = opened(GENERATOR, "dataset.strata=[a]")
    assert (len(data), dict(data.left_out)) == (6, {"b": 6})


def test_near_duplicates_stay_on_one_side_and_the_check_names_them(tmp_path):
    copies = GENERATOR.replace("pixels(number)", "pixels(0 if number == 7 else number)")
    words = ["dataset.parts=pool", "dataset.folders=strata", "trainer.batch_size=2"]
    note = open_data(config(copies, *words))
    split, data = note.split, note.dataset
    sides = [next(p for p in ("train", "val", "test") if i in getattr(split, p))
             for i in (data.ids.index("a/00"), data.ids.index("b/07"))]  # fmt: skip
    assert len(set(sides)) == 1
    out = tmp_path / "out"
    assert main(["data", "check", "plugins=mine.py", "dataset=mine", *words[:2], "-o", str(out)]) in (0, 1)
    findings = json.loads((out / "check.json").read_text())["findings"]
    assert ["a/00", "b/07"] in [found["where"] for found in findings]


def test_the_examples_are_drawn(tmp_path, capsys):
    config(GENERATOR)
    assert main(["data", "show", "plugins=mine.py", "dataset=mine", "count=4", "-o", "show.png"]) == 0
    assert (tmp_path / "show.png").is_file()
    assert "mine: background, tumour" in capsys.readouterr().out
