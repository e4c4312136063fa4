import numpy as np
import pytest
from PIL import Image

from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.errors import RunFolderError
from dmf_cli.figures import gallery, palette


class Two(Dataset):
    """Ten images of one stratum and two of another, with three classes."""

    name, classes, channels = "two", ("background", "benign", "malignant"), 1
    ids = tuple(f"image {i:02d}" for i in range(12))
    strata = ("a",) * 10 + ("b",) * 2
    groups = ("p",) * 4 + ("q",) * 6 + ("r",) * 2

    def load(self, index):
        label = np.zeros((600, 40), np.uint8)
        label[2:400, 2:9] = 1 + index % 2
        return Sample(np.full((600, 40, 1), 90, np.uint8), label)

    def fingerprint(self):
        return ""


def test_every_stratum_is_shown_and_images_are_spread():
    chosen = gallery.choose(Two(), 6)
    assert [Two.strata[i] for i in chosen] == ["a"] * 4 + ["b"] * 2
    assert len(set(chosen)) == 6
    assert max(chosen[:4]) > 6
    assert gallery.choose(Two(), 100) == list(range(12))


def test_images_and_patients_are_counted():
    table = gallery.render(Two())
    columns = [list(column.cells) for column in table.columns]
    assert columns == [["a", "b", "all"], ["10", "2", "12"], ["2", "1", "3"]]


def test_each_class_has_its_colour(tmp_path):
    gallery.plot_samples(tmp_path / "grid.png", Two(), 4)
    pixels = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB")).reshape(-1, 3).astype(int)
    for colour in palette.CLASSES[:2]:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(pixels - wanted).sum(axis=1).min() < 30


def test_a_picture_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="file"):
        gallery.plot_samples(tmp_path / "file" / "grid.png", Two(), 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_deep_images_are_shown_over_their_own_range(channels):
    deep = np.linspace(0, 15, 64 * channels, dtype=np.float32).reshape(8, 8, channels)  # 12 bits kept in 16
    for side in (8, 2 * gallery.DISPLAY):
        image = np.kron(deep, np.ones((side // 8, side // 8, 1), np.float32))
        shown = gallery.small(Sample(image, np.zeros((side, side), np.uint8))).image
        assert (shown.dtype, shown.shape[-1]) == (np.uint8, channels)
        assert np.ptp(shown.astype(int)) > 240
