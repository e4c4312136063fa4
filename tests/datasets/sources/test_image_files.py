"""Image files as they are: orientation, depth, pages, size."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dmf_cli.datasets.input_spec import InputSpec, Reading
from dmf_cli.datasets.sources import image_files
from dmf_cli.datasets.sources.image_files import image_size, open_image, read_image
from dmf_cli.datasets.sources.mask_planes import plane
from dmf_cli.errors import ConfigError, UnreadableError
from tests.raised import raises

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
SEEN = {  # EXIF orientation -> what a viewer shows of GREY
    1: GREY,
    2: GREY[:, ::-1],
    3: GREY[::-1, ::-1],
    4: GREY[::-1],
    5: GREY.T,
    6: np.rot90(GREY, -1),
    7: GREY[::-1, ::-1].T,
    8: np.rot90(GREY),
}


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def tiff(path, pixels, *, photometric=1, big=False, packed=False, signed=False, subfiles=(0,)):
    """A TIFF of 16 bits as scanners write it, one page for each of ``subfiles``."""
    order, bands = ">" if big else "<", pixels.shape[2] if pixels.ndim == 3 else 1
    data = pixels.astype(f"{order}{'i' if signed else 'u'}2").tobytes()
    data = zlib.compress(data) if packed else data
    content = bytearray((b"MM\0*" if big else b"II*\0") + struct.pack(f"{order}I", 8))
    for page, subfile in enumerate(subfiles):
        tags = [(254, 4, 1, subfile), (256, 3, 1, pixels.shape[1]), (257, 3, 1, pixels.shape[0])]
        tags += [(258, 3, bands, 16), (259, 3, 1, 8 if packed else 1), (262, 3, 1, photometric)]
        tags += [(273, 4, 1, None), (277, 3, 1, bands), (278, 3, 1, pixels.shape[0]), (279, 4, 1, len(data))]
        tags += [(339, 3, bands, 2 if signed else 1)]
        extra = len(content) + 2 + 12 * len(tags) + 4
        blob, entries = bytearray(), bytearray()
        long_ones = 12 if bands > 2 else 0
        for tag, kind, count, value in tags:
            value = extra + long_ones if value is None else value
            if kind == 3 and count > 2:
                field = struct.pack(f"{order}I", extra + len(blob))
                blob += struct.pack(f"{order}{count}H", *[value] * count)
            else:
                field = struct.pack(f"{order}{'H' * count if kind == 3 else 'I'}", *[value] * count)
            entries += struct.pack(f"{order}HHI", tag, kind, count) + field.ljust(4, b"\0")
        blob = blob.ljust(long_ones, b"\0") + data + b"\0" * (len(data) % 2)
        last = page == len(subfiles) - 1
        after = 0 if last else extra + len(blob)
        content += struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", after) + blob
    path.write_bytes(bytes(content))


def png(path, pixels, kind):
    """A PNG of 16 bits a channel; ``kind``: 2 RGB, 4 grey with alpha, 6 RGB with alpha."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "deep.png", "deep.tif"])
def test_pictures_and_masks_are_as_viewers_show_them(tmp_path, suffix, orientation):
    deep = suffix.startswith("deep")
    file, pixels = tmp_path / f"a.{suffix}", GREY.astype(np.uint16) * 257 if deep else GREY
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(pixels).save(file, exif=exif(orientation), **options)
    seen = SEEN[orientation]
    np.testing.assert_allclose(read_image(file, 1)[..., 0], seen, atol=1e-4)
    np.testing.assert_array_equal(
        plane(open_image(file), keep_indices=True), seen.astype(int) * (257 if deep else 1)
    )
    assert image_size(file) == seen.shape
    assert image_files.orientation(file) == orientation


def test_a_photograph_of_a_telephone_is_turned(tmp_path):
    left = np.zeros((16, 32, 3), np.uint8)
    left[:, :16] = 255
    Image.fromarray(left).save(tmp_path / "a.jpg", exif=exif(6), quality=95)
    assert image_size(tmp_path / "a.jpg") == (32, 16)
    shown = read_image(tmp_path / "a.jpg", 3)
    assert shown.shape == (32, 16, 3)
    assert shown[:16].min() > 240
    assert shown[16:].max() < 15


def test_the_size_of_a_png_without_exif_is_read_from_its_header(tmp_path):
    file = tmp_path / "a.png"
    Image.fromarray(np.zeros((300, 200), np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:60])
    assert image_size(file) == (300, 200)


def test_twelve_bits_in_sixteen_keep_every_level_until_they_are_normalised(tmp_path):
    levels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(levels).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png", 1)
    assert len(np.unique(found)) == 4096
    assert (found.min(), found.max()) == (0.0, pytest.approx(4095 / 257))
    for how in ("minmax", "zscore"):
        made, _ = InputSpec((64, 64), normalize=how).image(found)
        assert len(np.unique(made)) == 4096
    made, _ = InputSpec((64, 64)).image(read_image(tmp_path / "a.png", 1, Reading([0, 4095])))
    np.testing.assert_allclose(made[..., 0], levels / 4095, atol=1e-6)


def test_a_range_is_cut_off_at_both_ends_and_works_for_eight_bits(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png", 1, Reading([40, 140]))[..., 0]
    np.testing.assert_allclose(found, np.clip((GREY.astype(float) - 40) / 100, 0, 1) * 255, atol=1e-4)


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_colours_in_sixteen_bits_keep_them(tmp_path, kind, channels):
    pixels = np.random.default_rng(0).integers(0, 4096, (9, 7, channels)).astype(np.uint16)
    png(tmp_path / "a.png", pixels, kind)
    colours = pixels[..., :3] if channels > 2 else np.repeat(pixels[..., :1], 3, -1)
    np.testing.assert_allclose(read_image(tmp_path / "a.png", 3), colours / 257, atol=1e-4)
    grey = colours @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(read_image(tmp_path / "a.png", 1)[..., 0], grey / 257, atol=1e-3)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_tiffs_of_sixteen_bits(tmp_path, big, packed):
    file, rng = tmp_path / "a.tif", np.random.default_rng(0)
    colours = rng.integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    tiff(file, colours, photometric=2, big=big, packed=packed)
    np.testing.assert_allclose(read_image(file, 3), colours / 257, atol=1e-3)
    tiff(file, colours[..., 0], photometric=0, packed=packed)  # white is zero
    np.testing.assert_allclose(
        read_image(file, 1)[..., 0], (65535 - colours[..., 0].astype(int)) / 257, atol=1e-3
    )
    signed = rng.integers(-1000, 3000, (5, 7)).astype(np.int16)
    tiff(file, signed, big=big, packed=packed, signed=True)
    if big and packed:
        with raises(UnreadableError, path="a.tif", reason="compressed signed values"):
            read_image(file, 1)
        return
    np.testing.assert_allclose(read_image(file, 1)[..., 0], (signed.astype(int) + 32768) / 257, atol=1e-3)
    in_range = np.clip((signed.astype(float) + 200) / 1000, 0, 1) * 255
    np.testing.assert_allclose(read_image(file, 1, Reading([-200, 800]))[..., 0], in_range, atol=1e-3)


@pytest.mark.parametrize("head", ["P5 4 3 4095\n", "P5 4 3 65535\n", "P2 4 3 4095\n"])
def test_a_pgm_of_sixteen_bits_is_as_its_header_says(tmp_path, head):
    values, file = GREY.astype(np.uint16) * 15, tmp_path / "a.pgm"
    plain = " ".join(map(str, values.ravel().tolist())).encode()
    file.write_bytes(head.encode() + (plain if head.startswith("P2") else values.astype(">u2").tobytes()))
    white = int(head.split()[3])
    np.testing.assert_allclose(read_image(file, 1)[..., 0], values / white * 255, atol=0.01)
    in_range = np.clip(values / 3000, 0, 1) * 255  # in the values of the file
    np.testing.assert_allclose(read_image(file, 1, Reading([0, 3000]))[..., 0], in_range, atol=0.05)


def test_colours_of_sixteen_bits_as_ppm_are_refused_instead_of_cut(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 2 1 4095\n" + bytes(12))
    with raises(UnreadableError, path="a.ppm", reason="more than 8 bits", hint="save it as PNG"):
        read_image(tmp_path / "a.ppm", 3)


def test_fractions_need_a_range(tmp_path):
    Image.fromarray(np.array([[0.0, 0.5], [1.0, 2.0]], np.float32)).save(tmp_path / "a.tif")
    with raises(UnreadableError, path="a.tif", reason="32-bit values", allowed="dataset.range=[LOW,HIGH]"):
        read_image(tmp_path / "a.tif", 1)
    found = read_image(tmp_path / "a.tif", 1, Reading([0, 1]))[..., 0]
    np.testing.assert_allclose(found, [[0, 127.5], [255, 255]])


def frames(path, count=3):
    rng = np.random.default_rng(0)
    first, *others = (Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)) for _ in range(count))
    first.save(path, save_all=True, append_images=others)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.tif", "a.png"])
def test_several_pages_are_an_error_of_images_and_of_masks(tmp_path, name):
    frames(tmp_path / name)
    for read in (lambda f: read_image(f, 1), lambda f: plane(open_image(f), keep_indices=True)):
        with raises(UnreadableError, path=name, reason="3 pages or frames", hint="file of its own"):
            read(tmp_path / name)


def test_a_smaller_copy_behind_a_picture_is_no_page(tmp_path):
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    tiff(tmp_path / "a.tif", pixels, subfiles=(0, 1))
    np.testing.assert_allclose(read_image(tmp_path / "a.tif", 1)[..., 0], pixels / 257, atol=1e-5)
    tiff(tmp_path / "a.tif", pixels, subfiles=(0, 0))
    with raises(UnreadableError, reason="2 pages"):
        read_image(tmp_path / "a.tif", 1)


def test_the_limit_of_pixels_is_a_key_and_pillows_own_is_left_to_others(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((100, 50), np.uint8)).save(tmp_path / "a.png")
    with raises(
        UnreadableError, path="a.png", reason="is 50x100, 5000 pixels, and dataset.max_pixels is 4999"
    ):
        read_image(tmp_path / "a.png", 1, Reading(max_pixels=4999))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # as if this were a slide of 200 megapixels
    assert read_image(tmp_path / "a.png", 1, Reading(max_pixels=5000)).shape == (100, 50, 1)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("given", [[1], [2, 1], ["a", 2], 3, "01", [0, float("inf")], [True, 2]])
def test_a_range_that_is_none_is_told(given):
    with raises(ConfigError, key="dataset.range", allowed="as [0,4095], or null"):
        Reading(given)


@pytest.mark.parametrize("given", [0, -1, 2**31, True])
def test_a_limit_of_pixels_that_is_none_is_told(given):
    with raises(ConfigError, key="dataset.max_pixels", allowed="from 1 to"):
        Reading(max_pixels=given)


EPS = """%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
newpath 0 0 moveto 8 8 lineto stroke
%%EOF
"""


def test_no_file_is_taken_for_a_format_that_another_program_reads(tmp_path, monkeypatch):
    """Pillow hands EPS to Ghostscript, whatever the name of the file."""
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    (tmp_path / "a.png").write_text(EPS)
    for read in (open_image, image_size, lambda path: read_image(path, 1)):
        with raises(UnreadableError, path=tmp_path / "a.png", reason="unknown format"):
            read(tmp_path / "a.png")
    assert not (tmp_path / "ran").exists()
    assert set(image_files.FORMATS) <= set(Image.registered_extensions().values())
