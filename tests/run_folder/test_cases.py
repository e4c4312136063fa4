"""The worst and best images: which they are, and that they come back from the disk as they were."""

import math
from types import SimpleNamespace

import numpy as np

from dmf_cli.errors import RunFolderError
from dmf_cli.inference.evaluation import extremes
from dmf_cli.run_folder import cases
from tests.raised import raises


def row(name, dice, truth=10, predicted=10):
    return {"id": name, "foreground.dice": dice, "lesion_pixels": truth, "predicted_pixels": predicted}


def test_the_worst_come_first_and_larger_misses_before_smaller_ones():
    rows = [row(f"{i:02}", 0.9 - i / 100) for i in range(20)]
    rows += [row("small", 0.0, 5, 0), row("large", 0.0, 50, 0), row("undefined", math.nan, 0, 0)]
    rows += [row("both empty, counted as 1", 1.0, 0, 0)]
    found = extremes(rows)
    names = {kind: [rows[i]["id"] for i, k in found.items() if k == kind] for kind in ("worst", "best")}
    assert names["worst"][:4] == ["large", "small", "19", "18"]
    assert names["best"] == ["00", "01", "02", "03"]
    assert len(names["worst"]) == 12
    assert set(extremes(rows[:5]).values()) == {"worst"}  # no image is both
    assert extremes([]) == {}


def example(name, kind, channels=1, dice=0.5):
    rng = np.random.default_rng(len(name))
    image = rng.integers(0, 255, (9, 7, channels)).astype(np.uint8)
    truth, prediction = rng.integers(0, 3, (2, 9, 7)).astype(np.uint8)
    return SimpleNamespace(id=name, kind=kind, dice=dice, image=image, truth=truth, prediction=prediction)


def test_what_is_written_is_read_again(tmp_path):
    folder = tmp_path / "test_cases"
    cases.write(folder, [example(f"{i}", "worst") for i in range(3)])
    given = [example("benign/benign (1)", "worst", dice=math.nan), example("farbig ä", "best", channels=3)]
    cases.write(folder, given)
    assert len(list(folder.iterdir())) == 7  # nothing of the first time is left
    for one, back in zip(given, cases.read(folder), strict=True):
        assert (back.id, back.kind) == (one.id, one.kind)
        assert back.dice == one.dice or math.isnan(back.dice)
        np.testing.assert_array_equal(
            back.image, one.image if one.image.shape[-1] == 3 else one.image[..., 0]
        )
        np.testing.assert_array_equal(back.truth, one.truth)
        np.testing.assert_array_equal(back.prediction, one.prediction)
    assert cases.read(tmp_path) == []


def test_a_damaged_file_is_one_line(tmp_path):
    cases.write(tmp_path, [example("a", "worst")])
    for name, content in (("01_truth.png", b"no"), ("cases.json", b'[{"id": "a"}]'), ("cases.json", b"{")):
        (tmp_path / name).write_bytes(content)
        with raises(RunFolderError, hint="dmf eval"):
            cases.read(tmp_path)
