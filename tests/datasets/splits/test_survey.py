import json

import numpy as np
import pytest

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.splits import survey as surveys
from dmf_cli.datasets.splits.survey import survey
from tests.datasets.copies import images

PIXELS = [*images(4, size=48)]
PIXELS.append(PIXELS[1])


class Counted(Dataset):
    """Five images, the last one a copy of the second; counts how often one is read."""

    name, classes, channels, ids = "counted", ("background", "lesion"), 1, tuple("abcde")
    strata = ("s",) * 5

    def __init__(self, threshold=0):
        self.reads, self.threshold = 0, threshold

    def load(self, index):
        self.reads += 1
        image = PIXELS[index][..., None]
        return Sample(image, (image[..., 0] > self.threshold).astype(np.uint8))

    def fingerprint(self):
        return "counted"

    def reading(self):
        return str(self.threshold)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "surveys"


def test_images_are_looked_at_once(cache):
    first, again = Counted(), Counted()
    found = survey(first)
    assert [(pair.first, pair.second, pair.similarity) for pair in found.pairs] == [(1, 4, 1.0)]
    assert found.areas[0] == pytest.approx(float((PIXELS[0] > 0).mean()))
    assert survey(again) == found
    assert (first.reads, again.reads) == (5, 0)
    assert len(list(cache.iterdir())) == 1  # and nothing temporary


def test_labels_that_are_read_otherwise_are_looked_at_again():
    survey(Counted())
    other = Counted(threshold=100)
    assert survey(other).areas[0] == pytest.approx(float((PIXELS[0] > 100).mean()))
    assert other.reads == 5


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{",
        "[]",
        '{"version": 2}',
        {"version": 0},
        {"areas": [0.5]},
        {"areas": "abcde"},
        {"pairs": [[0, 9, 1.0, 0]]},
        {"pairs": [[0]]},
    ],
)
def test_a_damaged_cache_is_made_again(cache, broken):
    found = survey(Counted())
    (file,) = cache.iterdir()
    whole = file.read_text()
    file.write_text(broken if isinstance(broken, str) else json.dumps({**json.loads(whole), **broken}))
    assert survey(Counted()) == found
    assert file.read_text() == whole


def test_without_a_cache_it_works_too(cache):
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file in the way")
    assert len(survey(Counted()).pairs) == 1


def test_only_pairs_as_similar_as_asked_for():
    pairs = tuple(surveys.SimilarPair(0, i, s, 0) for i, s in ((1, 0.55), (2, 0.6), (3, 1.0)))
    found = surveys.Survey((0.0,) * 4, pairs, ((),) * 4)
    assert [len(found.similar(least)) for least in (0.5, 0.6, 1.0, None)] == [3, 2, 1, 0]
