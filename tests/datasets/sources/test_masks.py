"""How masks are read: what is certainly wrong is an error, what is doubtful one line, all else right."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import mask_report, mask_values
from dmf_cli.datasets.sources.folder import FolderDataset
from dmf_cli.errors import ConfigError, LabelError
from tests.raised import raises

N = 64
LESION = np.zeros((N, N), bool)
LESION[20:40, 16:44] = True
OTHER = np.zeros((N, N), bool)
OTHER[48:58, 8:30] = True


def grey(*parts, dtype=np.uint8):
    """A plane with a value for each (where, value)."""
    made = np.zeros((N, N), dtype)
    for where, value in parts:
        made[where] = value
    return made


def colour(*parts):
    made = np.zeros((N, N, 3), np.uint8)
    for where, value in parts:
        made[where] = value
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A function: masks by name -> the dataset; arrays are saved as PNG, others save themselves."""
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))

    def make(*masks, suffix="png", save=None, **options):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
        for number, mask in enumerate(masks):
            Image.new("L", (N, N), 10 * number).save(tmp_path / f"images/{number}.png")
            image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
            image.save(tmp_path / f"masks/{number}.{suffix}", **(save or {}))
        return FolderDataset(name="x", dir=tmp_path, images="images/*", masks="masks/{stem}.*", **options)

    return make


def remarks(dataset, size=(N, N)):
    return mask_report.report(dataset, InputSpec(size))


def areas(dataset):
    return [int((dataset.load(index).label == 1).sum()) for index in range(len(dataset))]


def only(dataset, kind):
    """The text of the only remark, which is of ``kind``."""
    (remark,) = remarks(dataset)
    assert remark.kind == kind
    assert "\n" not in remark.text
    return remark.text


def discs(scale=1):
    """Three discs; each pixel is the mean of ``scale * scale`` points: soft edges where there are several."""
    at = (np.arange(N * scale) + 0.5) / scale - N / 2
    far = np.hypot(at[:, None], at)
    blocks = [(far < radius).reshape(N, scale, N, scale).mean((1, 3)) for radius in (6, 9, 14)]
    return [np.round(255 * block).astype(np.uint8) for block in blocks]


CLEAN = {
    "255": [grey((LESION, 255)), grey((OTHER, 255)), grey()],
    "1": [grey((LESION, 1)), grey()],
    "254 and 255 in one file": [grey((LESION, 254), (LESION & OTHER.T, 255)), grey((LESION, 255))],
    "red": [colour((LESION, (255, 0, 0))), colour()],
    "16 bits": [grey((LESION, 65535), dtype=np.uint16)],
    "one bit": [Image.fromarray(LESION), grey()],
}


@pytest.mark.parametrize("masks", CLEAN.values(), ids=CLEAN)
def test_clean_masks_are_read_without_a_word(folder, masks):
    dataset = folder(*masks)
    assert remarks(dataset) == []
    assert areas(dataset)[0] == LESION.sum()


@pytest.mark.parametrize(("suffix", "scale"), [("jpg", 1), ("png", 4)])
def test_soft_edges_do_not_make_lesions_larger(folder, suffix, scale):
    true = [int((mask > 0).sum()) for mask in discs()]
    dataset = folder(*discs(scale), suffix=suffix, save={"quality": 60} if suffix == "jpg" else None)
    assert areas(dataset) == pytest.approx(true, rel=0.04)
    text = only(dataset, "soft masks")
    assert "3 of 3 masks have soft edges" in text
    assert "foreground is above 127.5, half of the maximum; above 0 it would be" in text
    wide = folder(threshold=0)
    assert sum(areas(wide)) > 1.05 * sum(true)
    assert "set dataset.threshold=auto" in only(wide, "soft masks")
    assert remarks(folder(threshold=127)) == []


def test_soft_and_hard_masks_of_another_scale_are_both_right(folder):
    true = int((discs()[0] > 0).sum())
    dataset = folder(discs(4)[0], grey((LESION, 1)), grey())
    assert areas(dataset) == pytest.approx([true, LESION.sum(), 0], rel=0.05)


CERTAIN = {
    "three greys": ([grey((LESION, 255), (OTHER, 128))], "0 128 255", "{0:0,128:1,255:2}"),
    "void": ([grey((LESION, 1), (OTHER, 255))], "0 1 255", "dataset.ignore=255"),
    "label map": ([grey((LESION, 1), (OTHER, 2))], "0 1 2", "{0:0,1:1,2:2}"),
    "red and green": (
        [colour((LESION, (255, 0, 0)), (OTHER, (0, 255, 0)))],
        "0x000000 0x00ff00 0xff0000",
        "{0x000000:0,0x00ff00:1,0xff0000:2}",
    ),
    "counted from 1": ([grey((LESION, 1)) + 1], "hold 1 2", "{1:0,2:1}"),
}


@pytest.mark.parametrize(("masks", "seen", "advice"), CERTAIN.values(), ids=CERTAIN)
def test_what_two_classes_cannot_say_is_an_error(folder, masks, seen, advice):
    dataset = folder(*masks, masks[0])
    text = only(dataset, "mask values")
    assert seen in text
    assert advice in text
    with pytest.raises(LabelError, match="x: "):
        mask_report.check(dataset, InputSpec((N, N)))


def test_a_palette_is_named_by_its_indices(folder):
    image = Image.fromarray(grey((LESION, 1), (OTHER, 255)))
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0] + [0, 0, 0] * 253 + [224, 224, 192])
    assert "0 1 255" in only(folder(image), "mask values")


def test_two_colours_of_a_jpeg_are_an_error_in_one_file_and_in_two(folder):
    save = {"suffix": "jpg", "save": {"quality": 90}}
    red, green = colour((LESION, (255, 0, 0))), colour((OTHER, (0, 255, 0)))
    assert "0x00ff00 0xff0000" in only(folder(red + green, **save), "mask values")
    assert "0xff0000 in 1" in only(folder(red, green, **save), "mask values")
    assert areas(folder(red, red, **save)) == pytest.approx([LESION.sum()] * 2, rel=0.03)


def test_a_threshold_that_is_typed_is_taken_and_what_is_doubtful_is_told(folder):
    dataset = folder(grey((LESION, 255), (OTHER, 128)), threshold=0)
    assert areas(dataset) == [LESION.sum() + OTHER.sum()]
    assert "all above 0 are lesion" in only(dataset, "doubtful values")


def test_other_values_in_other_masks_are_told(folder, caplog):
    dataset = folder(grey((LESION, 1)), grey((OTHER, 2)), grey((OTHER, 2)))
    assert "2 in 2, 1 in 1" in only(dataset, "doubtful values")
    mask_report.check(dataset, InputSpec((N, N)))
    assert len(caplog.records) == 1


def test_a_class_index_in_one_channel_is_the_class(folder):
    classes = ("background", "a", "b")
    for channel in range(3):
        mask = np.zeros((N, N, 3), np.uint8)
        mask[LESION, channel], mask[OTHER, channel] = 1, 2
        label = folder(mask, classes=classes).load(0).label
        np.testing.assert_array_equal(label, grey((LESION, 1), (OTHER, 2)))
    mask[OTHER] = 0
    assert areas(folder(mask)) == [LESION.sum()]


def test_colours_without_a_table_are_an_error_with_several_classes(folder):
    dataset = folder(colour((LESION, (255, 0, 0))), classes=("background", "a", "b"))
    with raises(LabelError, path="0.png", reason="is coloured", hint="say in dataset.values"):
        dataset.load(0)


@pytest.mark.parametrize("fill", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_a_mask_in_alpha_alone_is_read_there(folder, fill):
    def alpha(plane):
        return Image.fromarray(np.dstack([np.full((N, N, 3), fill, np.uint8), plane]))

    dataset = folder(alpha(grey((LESION, 255))), alpha(grey()), alpha(grey((OTHER, 255))))
    assert areas(dataset) == [LESION.sum(), 0, OTHER.sum()]
    assert remarks(dataset) == []


def test_what_is_transparent_is_background(folder):
    pixels = np.full((N, N, 4), 255, np.uint8)
    pixels[~LESION] = (90, 200, 10, 0)
    assert areas(folder(Image.fromarray(pixels))) == [LESION.sum()]
    red = {"values": {"red": 1, "black": 0}}
    pixels[LESION] = (255, 0, 0, 255)
    assert areas(folder(Image.fromarray(pixels), **red)) == [LESION.sum()]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_is_turned_round_in_masks_and_images(folder, tmp_path, dtype):
    most = np.iinfo(dtype).max
    mask = np.where(LESION, 0, most).astype(dtype)
    dataset = folder(mask, suffix="tif", save={"tiffinfo": {262: 0}} if dtype is np.uint16 else None)
    path = tmp_path / "masks/0.tif"
    if dtype is np.uint8:
        _turn(path)
    assert areas(dataset) == [LESION.sum()]
    path.replace(tmp_path / "images/0.tif")
    (tmp_path / "images/0.png").rename(tmp_path / "masks/0.png")
    image = folder().load(0).image[..., 0]
    np.testing.assert_array_equal(image, np.where(LESION, 255, 0))


def _turn(path):
    """Pillow does not write WhiteIsZero: the tag (262, SHORT, one value) is set in the file."""
    raw = bytearray(path.read_bytes())
    at = raw.index(bytes([6, 1, 3, 0, 1, 0, 0, 0]))
    raw[at + 8] = 0
    path.write_bytes(raw)


def test_inverted_masks_are_told(folder):
    dataset = folder(grey((~LESION, 255)), grey((~OTHER, 255)))
    text = only(dataset, "inverted")
    assert "lesion covers 90 % of 2 of 2 masks" in text
    assert areas(folder(values={0: 1, 255: 0})) == [LESION.sum(), OTHER.sum()]
    assert remarks(folder(values={0: 1, 255: 0})) == []
    full = folder(grey() + 255, grey((OTHER, 255)))
    assert "1 of 2 masks cover the whole image (images/0)" in only(full, "full")
    large = grey((np.s_[4:60, 4:60], 255))
    assert remarks(folder(large, large)) == []  # more than half of the image, and none of its border


def test_a_class_that_no_mask_has_is_told(folder):
    dataset = folder(grey((LESION, 1)), classes=("background", "a", "b"))
    assert "no mask holds the class 'b'" in only(dataset, "absent class")


def test_lesions_that_vanish_at_the_size_of_the_network_are_told(folder):
    small = grey((np.s_[1:3, 1:3], 255))
    dataset = folder(small, grey((LESION, 255)), grey())
    (remark,) = remarks(dataset, (8, 8))
    assert remark.kind == "vanishing"
    assert "lesions of 1 of 2 images vanish at 8x8 (images/0)" in remark.text
    assert remarks(dataset) == []


def test_masks_are_looked_at_once(folder, monkeypatch):
    dataset = folder(*discs(4))
    first = remarks(dataset), areas(dataset)
    monkeypatch.setattr(mask_values, "facts", None)  # whoever looks again fails
    again = folder(*discs(4))
    assert (remarks(again), areas(again)) == first


COLOURS = {"black": 0, "0xff0000": 1, "00ff00": 2}
THREE = {"classes": ("background", "a", "b"), "values": COLOURS}


def test_colours_in_every_spelling_that_can_be_typed(folder):
    masks = colour((LESION, (255, 0, 0)), (OTHER, (0, 255, 0)))
    for red in ("red", "#ff0000", "0xff0000", "0xFF0000", "ff0000"):
        dataset = folder(masks, classes=THREE["classes"], values={"000000": 0, red: 1, "0x00ff00": 2})
        np.testing.assert_array_equal(dataset.load(0).label, grey((LESION, 1), (OTHER, 2)))
    with raises(ConfigError, key="dataset.values", allowed="0xrrggbb, as {black: 0, red: 1, 0x00ff00: 2}"):
        folder(values={"#ff00": 1, "redd": 0})


def test_a_colour_that_the_table_lacks_is_an_error_however_dark(folder):
    mask = colour((LESION, (64, 0, 0)), (OTHER, (0, 255, 0)))
    for suffix in ("png", "jpg"):
        dataset = folder(mask, suffix=suffix, **THREE)
        with pytest.raises(LabelError, match=r"holds the colour 0x[34][0-9a-f]0000 \(.* add it there"):
            dataset.load(0)
        (dataset._pairs[0].masks[0]).unlink()


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_colours_of_a_jpeg_go_to_the_nearest(folder, quality):
    mask = colour((LESION, (255, 0, 0)), (OTHER, (0, 255, 0)))
    label = folder(mask, suffix="jpg", save={"quality": quality}, **THREE).load(0).label
    assert [(label == c).sum() for c in (1, 2)] == pytest.approx([LESION.sum(), OTHER.sum()], rel=0.05)


def test_mixtures_at_a_smooth_border_are_no_other_colour(folder):
    large = Image.new("RGB", (4 * N, 4 * N))
    ImageDraw.Draw(large).ellipse([60, 60, 140, 160], fill="red")
    ImageDraw.Draw(large).ellipse([110, 90, 200, 210], fill="lime")
    dataset = folder(large.resize((N, N), Image.Resampling.BILINEAR), **THREE)
    assert set(np.unique(dataset.load(0).label)) == {0, 1, 2}


def test_void_in_a_label_map_names_the_key_that_leaves_it_out(folder):
    dataset = folder(grey((LESION, 1), (OTHER, 255)), classes=("background", "a", "b"))
    with pytest.raises(
        LabelError, match=r"holds the value 255 .* leave these pixels out by dataset\.ignore=255"
    ):
        dataset.load(0)
