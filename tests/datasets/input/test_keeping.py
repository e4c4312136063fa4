"""Decoded images in memory, on disk or nowhere: the same images, and nothing but whole files."""

import concurrent.futures
import errno
import itertools
import logging
import os
import warnings

import numpy as np
import pytest

from dmf_cli.config import typed
from dmf_cli.datasets.input import keeping, pipeline, prepared, stored
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import bad_files, image_files
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.errors import DatasetError
from tests.datasets.conftest import BUSI

CONFIG = {**BUSI, "kind": "folder", "image_size": [12, 16], "resize": "letterbox", "normalize": "zscore"}
SPEC = InputSpec((12, 16), "letterbox", "zscore")
INDICES = {"train": [4, 0, 1, 3], "val": [2], "test": [5]}


@pytest.fixture
def dataset(busi, tmp_path, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    return FolderDataset(**BUSI, dir=busi)


def opened(dataset, mode, **config):
    config = typed.dataset({**CONFIG, **config})
    return keeping.open_parts(dataset, INDICES, mode, InputSpec.of(config), config)


def files(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache/prepared").iterdir() if p.suffix != ".lock")


def counted(dataset, monkeypatch):
    calls, load = [], dataset.load
    monkeypatch.setattr(dataset, "load", lambda index: (calls.append(index), load(index))[1])
    return calls


def test_the_images_are_the_same_wherever_they_are_kept(dataset):
    parts = {mode: opened(dataset, mode)[0] for mode in ("memory", "disk", "none")}
    kinds = {mode: type(found["train"]).__name__ for mode, found in parts.items()}
    assert kinds == {"memory": "Prepared", "disk": "Stored", "none": "Decoded"}
    for name in ("train", "val"):
        wanted = parts["memory"][name]
        assert wanted.shape == (12, 16, 1)
        for part in (parts["disk"][name], parts["none"][name]):
            assert (part.ids, part.shape, len(part)) == (wanted.ids, wanted.shape, len(wanted))
            for a, b in zip(part.rows(np.arange(len(part))), wanted.rows(slice(None)), strict=True):
                np.testing.assert_array_equal(a, b)
                assert a.dtype == b.dtype
            np.testing.assert_array_equal(list(part.each_label()), wanted.labels)
    options = {"batch_size": 2, "channels_out": 2, "seed": 0}
    batches = [
        list(itertools.islice(pipeline.training_batches(p["train"], **options).as_numpy_iterator(), 5))
        for p in parts.values()
    ]
    for other in batches[1:]:
        for (x, y), (x2, y2) in zip(batches[0], other, strict=True):
            np.testing.assert_array_equal(x, x2)
            np.testing.assert_array_equal(y, y2)


def test_a_file_is_made_once_for_each_content_and_each_size(dataset, busi, tmp_path, monkeypatch):
    calls = counted(dataset, monkeypatch)
    opened(dataset, "disk")
    assert sorted(calls) == list(range(6))
    opened(dataset, "disk", dir="elsewhere")
    assert len(calls) == 6
    assert len(files(tmp_path)) == 1
    opened(dataset, "disk", image_size=8)
    opened(dataset, "disk", threshold=9)
    assert len(files(tmp_path)) == 3
    path = busi / "benign/benign (1)_mask.png"
    path.write_bytes((busi / "benign/benign (2)_mask.png").read_bytes())
    opened(FolderDataset(**BUSI, dir=busi), "disk")
    assert len(files(tmp_path)) == 4


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other"])
def test_a_damaged_file_is_made_again(dataset, tmp_path, monkeypatch, damage):
    before, _ = opened(dataset, "disk")
    images = before["train"].rows(np.arange(4))[0]
    (name,) = files(tmp_path)
    path = tmp_path / "cache/prepared" / name
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-300] ^= 4
    path.with_name("new").write_bytes(
        {"cut": whole[:-10], "bit": bytes(flipped), "empty": b"", "other": b"text" * 999}[damage]
    )
    path.with_name("new").replace(path)
    (path.parent / f".{name}.123").write_bytes(b"left by a killed process")
    calls = counted(dataset, monkeypatch)
    again, _ = opened(dataset, "disk")
    assert len(calls) == 6
    np.testing.assert_array_equal(again["train"].rows(np.arange(4))[0], images)
    assert files(tmp_path) == [name]
    assert path.read_bytes() == whole


def test_a_full_disk_is_one_line_and_the_run_continues(dataset, tmp_path, monkeypatch, caplog):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.WARNING, "dmf"):
        parts, note = opened(dataset, "disk")
    assert type(parts["train"]).__name__ == "Prepared"
    assert [record.getMessage() for record in caplog.records] == [note]
    assert "No space left on device" in note
    assert "kept in memory" in note
    assert files(tmp_path) == []


def test_a_cache_that_cannot_be_made_is_one_line_too(dataset, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "file"))
    assert "cannot be kept in" in opened(dataset, "disk")[1]


def test_auto_takes_memory_if_it_fits_else_the_disk_else_nothing(dataset, monkeypatch):
    size = stored.record_type(SPEC, 1).itemsize
    for memory, disk, how in ((12, 0, "memory"), (9, 99, "disk"), (9, 2, "none")):
        monkeypatch.setattr(keeping, "free_memory", lambda memory=memory: memory * size)
        monkeypatch.setattr(keeping, "free_space", lambda path, disk=disk: disk * size)
        assert keeping.choose("auto", 5 * size, 6 * size)[0] == how
    assert keeping.choose("memory", 5 * size, 6 * size)[0] == "memory"
    assert "decoded each time" in opened(dataset, "auto")[1]


def test_what_is_free_is_asked_of_the_machine(tmp_path):
    assert keeping.free_memory() > 2**20
    assert keeping.free_space(tmp_path / "not" / "there") > 2**20


@pytest.mark.parametrize("mode", ["memory", "disk", "none"])
@pytest.mark.parametrize("name", ["train", "test"])
def test_a_damaged_image_is_reported_before_the_training_in_every_mode(dataset, busi, tmp_path, mode, name):
    path = busi / f"{dataset.ids[INDICES[name][0]]}.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DatasetError, match=r"\)\.png cannot be read"):
        opened(dataset, mode)
    assert mode != "disk" or files(tmp_path) == []


def test_processes_that_come_at_once_make_one_file(dataset, tmp_path, monkeypatch):
    calls = counted(dataset, monkeypatch)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: opened(dataset, "disk")[0]["train"], range(3)))
    assert len(calls) == 6
    assert len(files(tmp_path)) == 1
    for part in found[1:]:
        np.testing.assert_array_equal(part.rows(np.arange(4))[0], found[0].rows(np.arange(4))[0])


def test_images_are_decoded_in_order_and_no_more_than_a_few_wait(dataset, monkeypatch):
    monkeypatch.setattr(bad_files, "CHUNK", 2)
    calls, steps = counted(dataset, monkeypatch), []
    found = prepared.decoded(dataset, [5, 3, 1, 0, 2], SPEC, lambda: steps.append(1))
    next(found)
    assert 5 in calls
    assert set(calls) <= {3, 5}  # the other thread may not have begun
    samples = [dataset.load(i) for i in (3, 1, 0, 2)]
    wanted = [(SPEC.image(s.image)[0], SPEC.label(s.label)) for s in samples]
    for (image, label), (image2, label2) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(image, image2)
        np.testing.assert_array_equal(label, label2)
    assert len(steps) == 5


def test_threads_that_overlap_leave_the_filters_of_warnings_as_they_were():
    before = list(warnings.filters)
    first, second = image_files.quiet(), image_files.quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    warnings.warn("nobody shall see this", stacklevel=1)
    second.__exit__(None, None, None)
    assert warnings.filters == before
