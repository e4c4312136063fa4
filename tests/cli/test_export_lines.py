"""The lines of Python in docs/howto/export.md: they make the masks of ``dmf predict``."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pydicom
import pytest
from PIL import Image

import dmf_cli
from dmf_cli import config as configs
from dmf_cli import models
from dmf_cli.cli.main import main
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.inference import choosing, kept_choices
from dmf_cli.inference.network_file import load_network
from tests.cli.exporting import make_run


def code():
    """The lines of Python in the documents."""
    text = (Path(__file__).parents[2] / "docs/howto/export.md").read_text()
    return re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]


def photograph(file):
    """In colours, noisy, of no round size, and held on its side."""
    pixels, exif = np.random.default_rng(1).integers(0, 255, (61, 47, 3), dtype=np.uint8), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).resize((200, 131)).save(file, exif=exif, quality=95)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize(
    ("channels", "outputs", "normalize"),
    [(1, 2, "unit"), (3, 1, "zscore"), (1, 4, "minmax"), (3, 2, "minmax")],
)
def test_the_lines_in_the_documents_give_the_masks_of_predict(
    tmp_path, monkeypatch, resize, channels, outputs, normalize
):
    words = [f"dataset.resize={resize}", f"dataset.normalize={normalize}"]
    photograph(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    ours, theirs = both_masks("photo.jpg", channels, outputs, words)
    assert ours.shape == (200, 131)
    assert int((theirs != ours).sum()) == 0


def chose(run, config, temperature):
    """As if the validation images had chosen it."""
    network = load_network(run.best_model)
    spec = dataclasses.replace(InputSpec.of(config.dataset), channels=network.input_shape[-1])
    whose = {"network": kept_choices.network_hash([run.best_model]), "input": kept_choices.input_of(spec)}
    entry = {"images": 3, "values": {"temperature": temperature}, **whose}
    (run.path / "prediction.json").write_text(json.dumps({choosing.asked(config): entry}))


def both_masks(file, channels, outputs, words, surer=1):
    """The mask of `dmf predict` and that of the lines in the documents, for ``file``.

    The logits of the network are ``surer`` times as large.
    """
    classes = ["background", *(f"c{k}" for k in range(1, max(2, outputs)))]
    words = ["dataset=folder", "dataset.dir=.", "trainer.device=cpu", f"dataset.classes={classes}", *words]
    words += [f"dataset.channels={channels}", "model.filters=2", "model.depth=2", "model.convs=1"]
    words += ["model.head=sigmoid"] if outputs == 1 else []
    keras.utils.set_random_seed(3)
    network = models.unet((19, 26, channels), outputs, filters=2, depth=2, convs=1)
    for weight in network.trainable_weights:  # far from the same probability everywhere
        weight.assign(weight + 0.5 * np.random.default_rng(0).standard_normal(weight.shape).astype("float32"))
    for weight in network.trainable_weights[-2:]:
        weight.assign(surer * weight)
    run = make_run(Path("run"), network)
    config = configs.compose(["dataset.image_size=[19,26]", *words])
    run.config_file.write_text(configs.to_yaml(config))
    chose(run, config, temperature=2.5)
    assert main(["predict", "run", file, "-o", "out"]) == 0
    assert main(["export", "run", "-o", "model.keras"]) == 0
    made: dict[str, Any] = {}
    exec(compile(code().replace("photo.jpg", file), "docs/howto/export.md", "exec"), made)
    with Image.open(Path("out/masks", file).with_suffix(".png")) as image:
        ours = np.asarray(image)
    assert len(np.unique(ours)) > 1
    np.testing.assert_array_equal(dmf_cli.load("run").predict(file) > 0, ours > 0)  # from Python
    return ours, made["mask"] * (255 if outputs <= 2 else 1)


DICE, CLEAN = "predict.decision=dice", ["predict.component=largest", "predict.holes=fill"]


TILES = ["dataset.image_size=[40,50]", "dataset.patch=[19,26]"]


MASKS = {
    "mirrored, Dice-optimal": (1, 2, ["predict.mirror=true", DICE]),
    "both mirrors, cleaned": (3, 1, ["predict.mirror=both", "metrics.threshold=0.6", *CLEAN]),
    "several classes": (1, 4, [DICE, *CLEAN, "dataset.resize=letterbox"]),
    "tiles": (1, 2, ["dataset.image_size=[40,50]", "dataset.patch=[19,26]", "predict.mirror=true"]),
    "tiles, tempered": (1, 1, [*TILES, "predict.temperature=auto", DICE]),
}


@pytest.mark.parametrize("kind", MASKS)
def test_the_lines_in_the_documents_make_masks_in_every_way(tmp_path, monkeypatch, kind):
    channels, outputs, words = MASKS[kind]
    photograph(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    ours, theirs = both_masks("photo.jpg", channels, outputs, words, surer=20)
    assert int((theirs != ours).sum()) == 0


def frame(file, values, bits=12, **tags):
    """``values`` as a grey DICOM file with an intensity of twice the stored value, less 1000."""
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = pydicom.uid.UltrasoundImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = pydicom.uid.generate_uid()
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = values.shape
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, bits, bits - 1
    made.PixelRepresentation = int(values.dtype.kind == "i")
    made.RescaleSlope, made.RescaleIntercept = 2, -1000
    made.PixelData = values.tobytes()
    for name, value in tags.items():
        setattr(made, name, value)
    made.save_as(file, enforce_file_format=True)


WINDOW = {"WindowCenter": 3000, "WindowWidth": 4000}


NEGATIVE = {"PhotometricInterpretation": "MONOCHROME1"}


DEEP = np.random.default_rng(1).integers(0, 4096, (61, 47)).astype(np.uint16)


FILES = {
    "grey in 16 bits": ("photo.png", lambda f: Image.fromarray(DEEP * 16).save(f), []),
    "12 bits in 16": ("photo.png", lambda f: Image.fromarray(DEEP).save(f), ["dataset.range=[100,4000]"]),
    "colours with a range": ("photo.jpg", photograph, ["dataset.range=[20,200]"]),
    "DICOM": ("photo.dcm", lambda f: frame(f, DEEP), []),
    "DICOM, window, inverted": ("photo.dcm", lambda f: frame(f, DEEP, **WINDOW, **NEGATIVE), []),
    "DICOM, window, negative slope": (
        "photo.dcm",
        lambda f: frame(f, DEEP, RescaleSlope=-2, RescaleIntercept=7000, **WINDOW),
        [],
    ),
    "DICOM, signed": ("photo.dcm", lambda f: frame(f, DEEP.astype(np.int16) - 2048, **WINDOW), []),
    "DICOM, range": (
        "photo.dcm",
        lambda f: frame(f, DEEP, **WINDOW, **NEGATIVE),
        ["dataset.range=[-500,6000]"],
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_lines_in_the_documents_read_deep_files_and_ranges_as_predict_does(tmp_path, monkeypatch, kind):
    channels = 3 if kind in ("grey in 16 bits", "DICOM, window, inverted") else 1
    file, write, words = FILES[kind]
    monkeypatch.chdir(tmp_path)
    write(file)
    ours, theirs = both_masks(file, channels, 2, words)
    assert int((theirs != ours).sum()) == 0
