"""What the training images looked like, and which others look otherwise."""

import json

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import runtime
from dmf_cli.datasets.input import input_profile
from dmf_cli.datasets.input.prepared import Prepared
from dmf_cli.inference import score


@pytest.fixture
def part():
    rng = np.random.default_rng(0)
    levels = np.linspace(0.3, 0.6, 20)[:, None, None, None]
    images = np.clip(levels + 0.1 * rng.standard_normal((20, 16, 16, 1)), 0, 1).astype(np.float32)
    return Prepared(images, np.zeros((20, 16, 16), np.uint8), [str(i) for i in range(20)])


def test_images_of_the_training_are_not_unlike_it_and_others_are(part, tmp_path):
    input_profile.write(tmp_path / "inputs.json", part)
    note = input_profile.read(tmp_path / "inputs.json")
    assert note["images"] == 20
    assert [input_profile.unlike(note, image) for image in part.images] == [None] * 20
    assert input_profile.unlike(note, part.images[10] / 16).startswith("mean 0.02")  # 12 bits kept in 16
    assert input_profile.unlike(note, 1 - part.images[0]).startswith("bright 0.9")  # inverted
    assert input_profile.unlike(note, 0.45 + 0 * part.images[0]).startswith(
        "deviation 0, in training 0.0"
    )  # flat


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"range": {}}', '{"usual_deviation": 1, "range": {"mean": [1]}}']
)
def test_a_run_without_a_note_is_no_error(tmp_path, content):
    file = tmp_path / "inputs.json"
    if content is not None:
        file.write_text(content)
    assert input_profile.read(file) is None


def test_many_images_are_looked_at_evenly(part, monkeypatch):
    monkeypatch.setattr(input_profile, "IMAGES", 5)
    found = input_profile.describe(part)
    assert found["images"] == 5
    assert found["range"]["mean"] == pytest.approx([part.images[0].mean(), part.images[-1].mean()], abs=1e-5)
    assert json.loads(json.dumps(found)) == found


def test_dark_images_are_reported_where_nothing_stretches_them(part):
    images = part.images.copy()
    images[3] /= 16
    dark = Prepared(images, np.zeros((20, 16, 16), np.uint8), part.ids)
    (remark,) = input_profile.dark(dark, "unit")
    assert remark.where == ("3",)
    assert "1 of 20 images use less than a quarter of the grey range (first 3: " in remark.text
    assert "dataset.range=[0,4095]" in remark.text
    assert input_profile.dark(dark, "minmax") == input_profile.dark(part, "unit") == []


@pytest.mark.parametrize(
    ("divisor", "said"), [(1, []), (16, ["6 of 6 images that were looked at are unlike"])]
)
def test_an_evaluation_says_that_other_images_are_on_another_scale(
    part, tmp_path, monkeypatch, caplog, divisor, said
):
    for i, image in enumerate(part.images[::3][:6]):
        for folder, pixels in (("images", image[..., 0] * 65535 / divisor), ("masks", np.eye(16) * 255)):
            (tmp_path / folder).mkdir(exist_ok=True)
            kind = np.uint16 if folder == "images" else np.uint8
            Image.fromarray(pixels.astype(kind)).save(tmp_path / folder / f"{i}.png")
    run = tmp_path / "run"
    run.mkdir()
    input_profile.write(run / "inputs.json", part)
    (run / "config.yaml").write_text(configs.to_yaml(configs.compose(["dataset.image_size=16"])))
    (run / "status.json").write_text('{"state": "completed"}')
    monkeypatch.setattr(runtime, "start", lambda trainer: None)
    monkeypatch.setattr(score, "score", lambda *given, **options: None)
    other = configs.compose(["dataset=folder", f"dataset.dir={tmp_path}", "dataset.image_size=16"])
    score.evaluate_run(run, other, "all")
    lines = [record.getMessage() for record in caplog.records]
    assert [line[: len(said[0])] for line in lines if "unlike" in line and said] == said
    assert len([line for line in lines if "unlike" in line]) == len(said)
    assert all("first images/0: mean" in line and "set dataset.range" in line for line in lines if said)
