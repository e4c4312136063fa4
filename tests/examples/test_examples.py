"""The examples are short, and each does what its first lines say."""

import re
import shutil
from pathlib import Path

import pytest

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.parts import definitions, plugins, project, registry

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.py"))
TINY = (
    "dataset.count=24", "dataset.size=32", "dataset.image_size=32", "trainer.epochs=2", "model.filters=4",
    "split.leak_free=false", "split.similarity=null", "weighting.warmup=1", "report=false",
)  # fmt: skip


def commands(file):
    """The commands in the docstring of an example that train or compose."""
    lines = file.read_text().splitlines()
    return [line.split()[1:] for line in lines if line.startswith("dmf train")]


def test_an_example_has_less_than_sixty_lines():
    texts = [*FILES, *EXAMPLES.glob("*/**/*.py"), *EXAMPLES.glob("*/*.toml")]
    assert len(texts) >= 6
    assert [file.name for file in texts if len(file.read_text().splitlines()) >= 60] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_command_trains(file, tmp_path, monkeypatch):
    monkeypatch.chdir(EXAMPLES.parent)
    words = commands(file)[0]
    assert main([*words, *TINY, f"run_dir={tmp_path / 'run'}"]) == 0
    (part,) = definitions.in_file(file)
    assert (tmp_path / "run/plugins" / file.stem / file.name).read_bytes() == file.read_bytes()
    assert part.summary
    assert part.source


def test_poly1_is_cross_entropy_at_0_and_more_above():
    import numpy as np
    from keras import ops

    plugins.activate([str(EXAMPLES / "poly_loss.py")])
    poly1, ce = registry.find("loss", "poly1"), registry.find("loss", "ce")
    truth, guess = np.eye(3, dtype="float32")[[[0, 1, 2]]], np.full((1, 3, 3), 1 / 3, "float32")
    assert float(poly1(truth, guess, epsilon=0.0)) == pytest.approx(float(ce(truth, guess)), rel=1e-6)
    assert float(poly1(truth, guess)) == pytest.approx(np.log(3) + 2 / 3, rel=1e-6)
    uncounted = np.concatenate([truth, np.zeros((1, 1, 3), "float32")], axis=1)
    more = np.concatenate([guess, np.zeros((1, 1, 3), "float32")], axis=1)
    assert float(ops.convert_to_numpy(poly1(uncounted, more))) == pytest.approx(float(poly1(truth, guess)))


def test_the_package_of_a_lab_is_there_without_a_word(tmp_path, monkeypatch):
    lab = EXAMPLES / "lab"
    shutil.copytree(lab / "lab_parts", tmp_path / "site/lab_parts")
    made = tmp_path / "site/lab_parts-0.1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-parts\nVersion: 0.1.0\n")
    (entry,) = re.findall(r'entry-points."(.*)"\]\n(.*)', (lab / "pyproject.toml").read_text())
    (made / "entry_points.txt").write_text(f"[{entry[0]}]\n{entry[1].replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    plugins._installed.cache_clear()
    try:
        assert "lab_brier" in registry.names("loss")
        assert project.read(lab).config_dir == lab / "configs"
        words = ["loss=lab_brier+dice", "model=lab_unet", f"hydra.searchpath=[file://{lab / 'configs'}]"]
        config = configs.compose(words)
        assert config.model.params["filters"] == 16
        assert list(config.plugins) == ["lab_parts.losses"]
    finally:
        monkeypatch.undo()
        plugins._installed.cache_clear()
