"""``--config-dir``: a dataset of one's own in every command that takes a dataset."""

import json

import numpy as np
import pytest
from PIL import Image

from dmf_cli import conf_files
from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.cli.train import parse
from dmf_cli.errors import ConfigError
from dmf_cli.inference.evaluation_config import evaluation_config


@pytest.fixture
def own(tmp_path):
    """``configs/dataset/mine.yaml`` for eight images."""
    rng = np.random.default_rng(0)
    for i in range(8):
        mask = np.zeros((24, 24), np.uint8)
        mask[3 : 10 + i, 4:16] = 255
        for folder, pixels in (("images", rng.integers(0, 255, (24, 24), np.uint8)), ("masks", mask)):
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "data" / folder / f"{chr(97 + i)}.png")
    text = (conf_files.conf_dir() / "dataset/folder.yaml").read_text()
    text = text.replace("name: folder", "name: mine").replace("dir: ???", f"dir: {tmp_path / 'data'}")
    text = text.replace(text.splitlines()[0], "# Mine: eight images of my own.")
    (tmp_path / "configs/dataset").mkdir(parents=True)
    (tmp_path / "configs/dataset/mine.yaml").write_text(text)
    return tmp_path / "configs"


def test_show_check_and_list_take_it(own, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    words = ["--config-dir", str(own), "dataset=mine"]
    assert main(["data", "show", *words, "count=2", "-o", str(tmp_path / "x.png")]) == 0
    assert "mine: background, lesion" in capsys.readouterr().out
    assert main(["data", "check", "dataset=mine", "-cd", str(own), "-o", str(tmp_path / "check")]) == 0
    assert json.loads((tmp_path / "check/check.json").read_text())["images"] == 8
    capsys.readouterr()
    assert main(["data", "prepare", *words]) == 0
    assert f"next: dmf data show --config-dir {own} dataset=mine" in capsys.readouterr().out
    assert main(["list", "datasets", "--config-dir", str(own)]) == 0
    listed = capsys.readouterr().out
    assert "eight images of my own" in listed
    assert "busi " in listed
    assert main(["list", "datasets"]) == 0
    assert "mine" not in capsys.readouterr().out


def test_eval_finds_it_and_keeps_what_the_network_was_trained_on(own, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(configs.to_yaml(configs.compose(["dataset.image_size=32"])))
    words = ["split=all", "dataset=mine", "dataset.threshold=9"]
    found, split = evaluation_config(run, words, [f"hydra.searchpath=['file://{own}']"])
    assert (found.dataset.name, split) == ("mine", "all")
    assert (found.dataset.image_size, found.dataset.threshold) == (32, 9)


def test_tune_searches_on_it(own, tmp_path, monkeypatch):
    from dmf_cli.cli import tune

    plans = []
    monkeypatch.setattr(tune, "search", lambda plan, study, **_: plans.append(plan) or 0)
    words = ["tune", "loss=dice+bce", "dataset=mine", f"output_root={tmp_path / 'out'}"]
    assert main([*words[:2], "--config-dir", str(own), *words[2:], "model.filters=choice(4,8)"]) == 0
    [plan] = plans
    assert plan.config.dataset.name == "mine"
    # The trials are composed from these words.
    assert configs.compose(plan.words).plain["dataset"]["dir"] == str(tmp_path / "data")


def test_replay_takes_a_strategy_of_it(own):
    from dmf_cli.replaying.strategies import weighting_configs

    text = (conf_files.conf_dir() / "weighting/var.yaml").read_text().replace("window: 150", "window: 40")
    (own / "weighting").mkdir()
    (own / "weighting/short.yaml").write_text(text)
    found = weighting_configs(
        ["weighting=short", "weighting.warmup=7"], [f"hydra.searchpath=['file://{own}']"]
    )
    assert found["short"].name == "var"
    assert (found["short"].params["window"], found["short"].params["warmup"]) == (40, 7)


@pytest.mark.parametrize(
    "command",
    [
        ["data", "show"],
        ["data", "check"],
        ["list", "datasets"],
        ["eval", "x"],
        ["train"],
        ["tune", "loss=dice+bce"],
        ["replay", "RUN.csv", "weighting=var"],
    ],
)
def test_a_folder_that_is_not_there_is_one_line(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RUN.csv").write_text("dice,bce\n1,2\n")
    assert main([*command, "--config-dir", str(tmp_path / "no")]) == 2
    assert "which is no folder: give the one that holds your YAML files" in capsys.readouterr().err
    assert parse(["--config-dir", "x"])[0].config_dir == "x"


def test_a_yaml_file_that_would_take_for_ever_is_one_line(tmp_path):
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment/bomb.yaml"
    anchors = "".join(f"a{i}: &a{i} [{','.join(f'*a{i - 1}' for _ in range(9))}]\n" for i in range(1, 9))
    references = "".join(f"a{i}: '{f'${{tune.a{i - 1}}}' * 9}'\n  " for i in range(1, 9))
    for text, says in (
        (f"a0: &a0 [1]\n{anchors}", "more than 100,000 values"),
        ("a: " + "[" * 100_000, "more than 50 levels"),
        ("a: " + "x" * 2_000_000, "bytes, and 1,048,576 are read at most"),
        (f"# @package _global_\ntune:\n  a0: x\n  {references}", "in more than 24 places"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=says):
            configs.compose([f"hydra.searchpath=['file://{tmp_path}']", "experiment=bomb"])
