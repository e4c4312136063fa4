"""Single frames of DICOM: rescaled, windowed, white on black, with the size of their pixels."""

import os
import sys

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    UltrasoundImageStorage,
    generate_uid,
)

from dmf_cli import metrics
from dmf_cli.datasets.input_spec import Reading
from dmf_cli.datasets.sources import dicom
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.datasets.sources.image_files import image_size, open_image, read_image
from dmf_cli.errors import ConfigError, UnreadableError
from tests.inference.scoring import evaluated
from tests.raised import raises

VALUES = np.arange(12).reshape(3, 4) * 300


def frame(path, pixels, *, bits=None, **tags):
    """``pixels`` as a DICOM file; ``tags`` by their keywords."""
    made = pydicom.Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = UltrasoundImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
    made.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape[:2]
    made.BitsAllocated = pixels.dtype.itemsize * 8
    made.BitsStored = bits or made.BitsAllocated
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for name, value in tags.items():
        setattr(made, name, value)
    made.save_as(path, enforce_file_format=True)


def grey(path, *given):
    return read_image(path, 1, *given)[..., 0]


def test_the_bits_that_are_stored_are_the_range(tmp_path):
    frame(tmp_path / "a.dcm", VALUES.astype(np.uint16), bits=12)
    np.testing.assert_allclose(grey(tmp_path / "a.dcm"), VALUES / 4095 * 255, atol=1e-3)
    assert image_size(tmp_path / "a.dcm") == (3, 4)


def test_large_values_are_white_whatever_the_file_means_by_them(tmp_path):
    frame(tmp_path / "a.dcm", VALUES.astype(np.uint16), bits=12, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(grey(tmp_path / "a.dcm"), (4095 - VALUES) / 4095 * 255, atol=1e-3)
    eight = np.arange(12, dtype=np.uint8).reshape(3, 4)
    frame(tmp_path / "b.dcm", eight, PhotometricInterpretation="MONOCHROME1")
    found = grey(tmp_path / "b.dcm")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, 255 - eight)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_negative_slope_keeps_large_values_bright_through_a_window_too(tmp_path, photometric):
    tags = {"RescaleSlope": -2, "RescaleIntercept": 3000, "PhotometricInterpretation": photometric}
    window = {"WindowCenter": 0, "WindowWidth": 4000}
    units = 3000 - VALUES * 2.0
    whole, windowed = (units + 5190) / 8190, np.clip((units + 0.5) / 3999 + 0.5, 0, 1)
    for expected, more in ((whole, {}), (windowed, window)):
        frame(tmp_path / "a.dcm", VALUES.astype(np.uint16), bits=12, **tags, **more)
        expected = 1 - expected if photometric == "MONOCHROME1" else expected
        np.testing.assert_allclose(grey(tmp_path / "a.dcm"), expected * 255, atol=1e-3)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_rescale_and_window_are_applied_and_a_range_takes_their_place(tmp_path, photometric):
    tags = {"RescaleSlope": 2, "RescaleIntercept": -1000, "PhotometricInterpretation": photometric}
    frame(
        tmp_path / "a.dcm",
        VALUES.astype(np.uint16),
        bits=12,
        WindowCenter=[40, 500],
        WindowWidth=[400, 2000],
        **tags,
    )
    units = VALUES * 2.0 - 1000
    windowed = np.clip((units - 39.5) / 399 + 0.5, 0, 1)  # DICOM PS3.3, C.11.2.1.2.1
    ranged = np.clip((units + 200) / 1000, 0, 1)
    if photometric == "MONOCHROME1":
        windowed, ranged = 1 - windowed, 1 - ranged
    np.testing.assert_allclose(grey(tmp_path / "a.dcm"), windowed * 255, atol=1e-3)
    np.testing.assert_allclose(grey(tmp_path / "a.dcm", Reading([-200, 800])), ranged * 255, atol=1e-3)


def test_signed_values(tmp_path):
    values = (VALUES - 1500).astype(np.int16)
    frame(tmp_path / "a.dcm", values, bits=12)
    np.testing.assert_allclose(grey(tmp_path / "a.dcm"), (values + 2048.0) / 4095 * 255, atol=1e-3)


def test_colours_are_read_and_become_grey(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    frame(tmp_path / "a.dcm", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm", 3), pixels)
    np.testing.assert_array_equal(grey(tmp_path / "a.dcm"), np.asarray(Image.fromarray(pixels).convert("L")))


def test_what_is_no_single_frame_is_one_line(tmp_path):
    file = tmp_path / "a.dcm"
    frame(file, np.zeros((4, 6), np.uint8), NumberOfFrames=3, PixelData=bytes(72))
    with raises(UnreadableError, path="a.dcm", reason="3 frames", hint="a file of its own"):
        read_image(file, 1)
    frame(file, np.zeros((4, 6), np.uint8))
    with raises(UnreadableError, path="a.dcm", reason="is 6x4, 24 pixels, and dataset.max_pixels is 23"):
        read_image(file, 1, Reading(max_pixels=23))
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(
        UnreadableError, match=r"a\.dcm cannot be read as DICOM \([^\n]+\): replace or remove it"
    ):
        read_image(file, 1)
    file.write_bytes(b"no DICOM")
    for read in (lambda f: read_image(f, 1), image_size, dicom.spacing, open_image):
        with raises(UnreadableError, path="a.dcm", reason="cannot be read as DICOM"):
            read(file)


def test_without_pydicom_the_extra_is_named(tmp_path, monkeypatch):
    frame(tmp_path / "a.dcm", np.zeros((4, 6), np.uint8))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ConfigError, match=r"need the package pydicom: pip install '\.\[dicom\]'"):
        read_image(tmp_path / "a.dcm", 1)


def test_the_size_of_a_pixel(tmp_path):
    file, pixels = tmp_path / "a.dcm", np.zeros((4, 6), np.uint8)
    frame(file, pixels)
    assert dicom.spacing(file) is None
    frame(file, pixels, PixelSpacing=[0.1, 0.2])
    assert dicom.spacing(file) == (0.1, 0.2)

    def region(rows, columns, unit=3):
        found = pydicom.Dataset()
        found.PhysicalDeltaX, found.PhysicalDeltaY = columns, rows
        found.PhysicalUnitsXDirection = found.PhysicalUnitsYDirection = unit
        return found

    frame(file, pixels, SequenceOfUltrasoundRegions=Sequence([region(0.01, 0.02), region(1, 1, unit=4)]))
    assert dicom.spacing(file) == pytest.approx((0.1, 0.2))
    frame(file, pixels, SequenceOfUltrasoundRegions=Sequence([region(0.01, 0.02), region(0.03, 0.03)]))
    assert dicom.spacing(file) is None  # which of the two is not known


def test_what_is_deflated_is_inflated_up_to_a_bound(tmp_path, monkeypatch):
    frame(tmp_path / "plain.dcm", VALUES.astype(np.uint16))
    made = pydicom.dcmread(tmp_path / "plain.dcm")
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(grey(tmp_path / "a.dcm"), grey(tmp_path / "plain.dcm"))
    made.PixelData = bytes(5 * 2**20)
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert (tmp_path / "a.dcm").stat().st_size < 10_000
    monkeypatch.setattr(dicom, "UNPACKED", 4 * 2**20)
    monkeypatch.setattr(pydicom, "dcmread", None)  # never reached
    for read in (grey, image_size, open_image, dicom.spacing):
        with raises(UnreadableError, path=tmp_path / "a.dcm", reason="unpacks to more than 4,194,304 bytes"):
            read(tmp_path / "a.dcm")


def test_a_pipe_is_no_frame(tmp_path):
    os.mkfifo(tmp_path / "a.dcm")
    with raises(UnreadableError, reason="a pipe or a device"):
        dicom.read(tmp_path / "a.dcm", 1000)


def test_a_folder_of_frames_with_masks_is_a_dataset(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((3, 4), np.uint8)
    mask[1, 1:3] = 255
    for name, spacing in (("a", [0.1, 0.2]), ("b", [0.3, 0.3])):
        frame(tmp_path / f"images/{name}.dcm", VALUES.astype(np.uint16), bits=12, PixelSpacing=spacing)
        Image.fromarray(mask).save(tmp_path / f"masks/{name}.png")
    frame(tmp_path / "masks/b.dcm", mask)
    (tmp_path / "masks/b.png").unlink()
    options = {"name": "scans", "dir": tmp_path, "images": "images/*", "masks": "masks/{stem}.*"}
    dataset = FolderDataset(**options)
    assert dataset.ids == ("images/a", "images/b")
    for index in range(2):
        np.testing.assert_array_equal(dataset.load(index).label, mask // 255)
    assert [dataset.pixel_size(index) for index in range(2)] == [(0.1, 0.2), (0.3, 0.3)]
    assert FolderDataset(**options, spacing=[1, 2]).pixel_size(0) == (1.0, 2.0)


def test_distances_are_in_the_millimetres_of_each_image(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, side in (("a", 0.5), ("b", 0.25)):
        pixels = np.zeros((16, 16), np.uint8)
        pixels[2:8, 3:9] = 255
        frame(tmp_path / f"images/{name}.dcm", pixels, PixelSpacing=[side, side])
        Image.fromarray(np.roll(pixels, 2, axis=0)).save(tmp_path / f"masks/{name}.png")
    options = {"name": "scans", "dir": tmp_path, "images": "images/*", "masks": "masks/{stem}.*"}

    def score(indices, **more):
        dataset = FolderDataset(**options, **more)
        return evaluated(lambda x: 0.9 * x + 0.05, dataset, indices, image_size=16, full=metrics.Full())

    both = score([0, 1])
    distances = [(row["foreground.hd95"], row["foreground.hd95_mm"]) for row in both.rows]
    assert distances == [(2.0, pytest.approx(1.0)), (2.0, pytest.approx(0.5))]
    assert both.summary["settings"]["spacing"] == "of each image"
    assert score([1]).summary["settings"]["spacing"] == (0.25, 0.25)
    assert score([0, 1], spacing=[1, 1]).rows[1]["foreground.hd95_mm"] == pytest.approx(2.0)
    frame(tmp_path / "images/b.dcm", np.zeros((16, 16), np.uint8))  # of one of them nothing is known
    assert "foreground.hd95_mm" not in score([0, 1]).rows[0]
