import json

import numpy as np
import pytest

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources.description import SimilarPair
from dmf_cli.datasets.sources.image_facts import ImageFacts, left
from dmf_cli.datasets.sources.survey import Survey, survey
from dmf_cli.datasets.splits.near_duplicates import similar
from dmf_cli.errors import DatasetError
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


def facts(found):
    return found.facts, found.pairs, found.errors


def surveyed(dataset):
    found = survey(dataset, alike=True)
    similar(dataset, found, 0.5)
    return found


def test_images_are_looked_at_once(cache):
    first, again = Counted(), Counted()
    found = surveyed(first)
    assert [(pair.first, pair.second, pair.similarity) for pair in found.pairs] == [(1, 4, 1.0)]
    assert found.labels[0].area == pytest.approx(float((PIXELS[0] > 0).mean()))
    assert facts(surveyed(again)) == facts(found)
    assert (first.reads, again.reads) == (5, 0)
    assert len(list(cache.iterdir())) == 1  # and nothing temporary


def test_labels_that_are_read_otherwise_are_looked_at_again():
    survey(Counted())
    other = Counted(threshold=100)
    assert survey(other).labels[0].area == pytest.approx(float((PIXELS[0] > 100).mean()))
    assert other.reads == 5


def test_another_size_of_the_network_needs_the_labels_alone():
    dataset, sizes = Counted(), (InputSpec((8, 8)), InputSpec((6, 4), "letterbox"))
    found = survey(dataset, sizes[0])
    assert dataset.reads == 5
    survey(dataset, sizes[1])
    again = Counted()
    known = survey(again, sizes[1])
    assert (dataset.reads, again.reads) == (10, 0)  # the labels of this one come with the images
    for spec in sizes:
        for index in range(5):
            wanted = set(np.unique(spec.label(again.load(index).label)).tolist())
            assert left(found.facts[index].label, spec) == left(known.facts[index].label, spec) == wanted


def test_near_duplicates_that_are_wanted_later_are_found_too():
    dataset = Counted()
    found = survey(dataset)
    assert similar(dataset, found, None) == []
    assert found.pairs is None
    assert [pair[:2] for pair in similar(dataset, found, 0.5)] == [(1, 4)]


def test_an_image_that_cannot_be_read_any_more_is_named(monkeypatch):
    survey(Counted())  # good, and nobody asked for near-duplicates
    dataset = Counted()
    found = survey(dataset)

    def load(index):
        raise DatasetError(f"image {index} is gone")

    monkeypatch.setattr(dataset, "load", load)
    with pytest.raises(DatasetError, match="image 3 is gone"):
        similar(dataset, found, 0.5)


def test_a_dataset_that_cannot_be_hashed_is_surveyed_all_the_same(monkeypatch):
    dataset = Counted()

    def fingerprint():
        raise DatasetError("a record is damaged")

    monkeypatch.setattr(dataset, "fingerprint", fingerprint)
    assert len(survey(dataset).good) == 5


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{",
        "[]",
        '{"version": 2}',
        {"version": 0},
        {"images": [None]},
        {"images": "abcde"},
        {"images": [{"grey": []}] * 5},
        {"pairs": [[0, 9, 1.0, 0]]},
        {"pairs": [[0]]},
    ],
)
def test_a_damaged_cache_is_made_again(cache, broken):
    found = surveyed(Counted())
    (file,) = cache.iterdir()
    whole = file.read_text()
    file.write_text(broken if isinstance(broken, str) else json.dumps({**json.loads(whole), **broken}))
    assert facts(surveyed(Counted())) == facts(found)
    assert file.read_text() == whole


def test_without_a_cache_it_works_too(cache):
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file in the way")
    assert len(surveyed(Counted()).pairs) == 1


def test_only_pairs_as_similar_as_asked_for():
    pairs = [SimilarPair(0, i, s, 0) for i, s in ((1, 0.55), (2, 0.6), (3, 1.0))]
    found = Survey([ImageFacts()] * 4, pairs=pairs)
    assert [len(similar(Counted(), found, least)) for least in (0.5, 0.6, 1.0, None)] == [3, 2, 1, 0]
    assert found.of([0, 2, 3]).pairs == (SimilarPair(0, 1, 0.6, 0), SimilarPair(0, 2, 1.0, 0))
