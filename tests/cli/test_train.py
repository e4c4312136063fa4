"""The shell around the trainer: which config arrives there, and what failures look like from outside."""

import re
import subprocess
import sys
import types

import pytest

from dmf_cli import conf_files
from dmf_cli.cli.main import main
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, RunError


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Configs that reached the trainer, which fails for seeds 6 to 9; the working folder is empty."""
    configs = []

    def train(config):
        configs.append(config)
        errors = {
            7: RunError("it failed"),
            8: KeyError("k"),
            9: KeyboardInterrupt(),
            6: ConfigError("too late"),
        }
        if config.seed in errors:
            raise errors[config.seed]

    stub = types.ModuleType("dmf_cli.training.trainer")
    stub.train = train  # type: ignore[attr-defined]
    import dmf_cli.training

    monkeypatch.setitem(sys.modules, "dmf_cli.training.trainer", stub)
    monkeypatch.setattr(dmf_cli.training, "trainer", stub, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    return configs


def test_the_trainer_gets_a_checked_config(trained, tmp_path, capsys):
    assert main(["train", "loss=0.7*dice+bce", "trainer.epochs=2", "hydra.mode=RUN"]) == 0
    (config,) = trained
    assert type(config) is Config
    assert config.loss.expression == "dice:0.7+bce"
    assert config.trainer.epochs == 2
    assert "hydra" not in config.plain
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_options_and_overrides_in_any_order(trained):
    assert main(["train", "seed=1", "-m", "loss=dice,bce+dice", "sweep.isolate=false"]) == 0
    assert [c.loss.expression for c in trained] == ["dice", "bce+dice"]
    assert {c.seed for c in trained} == {1}


def test_the_process_is_left_as_it_was(trained, monkeypatch):
    import os

    before = list(sys.argv)
    main(["train", "seed=7"])
    assert sys.argv == before
    assert "HYDRA_FULL_ERROR" not in os.environ


@pytest.mark.parametrize(
    ("seed", "code", "says"), [(6, 2, "too late"), (7, 1, "it failed"), (8, 1, "KeyError")]
)
def test_a_failed_run_is_one_line(trained, capsys, seed, code, says):
    assert main(["train", f"seed={seed}"]) == code
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_an_interrupted_run(trained):
    assert main(["train", "seed=9"]) == 130


def test_a_sweep_continues_after_a_failure_and_says_which_job(trained, capsys):
    assert main(["train", "-m", "seed=7,1,8", "sweep.isolate=false"]) == 1
    assert [c.seed for c in trained] == [7, 1, 8]
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in lines] == [True] * 3
    assert lines[0] == "error: job 1 (seed=7): it failed"
    assert lines[1].startswith("error: job 3 (seed=8): unexpected KeyError")


def test_ctrl_c_in_a_job_of_this_process_ends_the_sweep(trained, capsys):
    assert main(["train", "-m", "seed=9,1", "sweep.isolate=false"]) == 130
    assert [c.seed for c in trained] == [9]
    assert "2 job(s) are left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trainer.epohcs=3"], "did you mean 'epochs'"),
        (["model=unett"], "did you mean 'unet'"),
        (["optimzer=adam"], "did you mean 'optimizer'"),
        (["loss=dcie"], "did you mean 'dice'"),
        (["trainer.epochs=abc"], "whole number"),
        (["trainer.epochs=0"], "from 1 to"),
        (["trainer.epochs"], "not KEY=VALUE"),
        (["trainer.epochs=1,2"], "add -m"),
        (["seed=${sede}"], "'sede' not found"),
        (["--cfg", "job", "trainer.epochs=0"], "from 1 to"),
        (["--cfg", "job", "model=unett"], "did you mean 'unet'"),
        (["--help", "trainer.epohcs=3"], "did you mean 'epochs'"),
        (["--help", "loss=dcie"], "did you mean 'dice'"),
        (["--help", "trainer.epochs=0"], "from 1 to"),
        (["-m", "loss=dice,dcie"], "did you mean 'dice'"),
        (["-m", "trainer.epochs=1,0"], "from 1 to"),
        (["--hepl"], "did you mean '--help'"),
        (["--loss", "dice"], "--loss is no option: use loss=dice"),
        (["--trainer.epochs=3"], "use trainer.epochs=3"),
        (["--epochs", "3"], "--epochs is no option: use trainer.epochs=3"),
        (["seed=1", "--batch-size=4"], "--batch-size is no option: use trainer.batch_size=4"),
        (["--lr", "1e-3", "seed=1"], "use optimizer.learning_rate=1e-3"),
        (["-epochs", "3"], "use trainer.epochs=3"),
        (["--epohcs", "3"], "use trainer.epochs=3"),
        (["--image-size", "[64, 48]"], "use 'dataset.image_size=[64, 48]'"),
        (["dataset=busi", "--strata"], "use dataset.strata=VALUE"),
        (["--multirunn"], "did you mean '--multirun'?"),
        (["--budget", "30m"], "use budget=30m"),
        (["--nothing-like-it"], "see dmf train --help"),
        (["--cfg", "jobb"], "invalid choice: 'jobb'"),
        (["--resolve"], "--cfg or --help only"),
        (["--config-name", "nope"], "Cannot find primary config 'nope'"),
        (
            ["--config-dir", "nope"],
            "nope, which is no folder: give the one that holds your YAML files",
        ),
        (["~trainer"], "a group cannot be removed"),
        (["model.head=foo"], "allowed: softmax, sigmoid"),
        (["-m", "model.dropout=2,0"], "model.dropout is 2"),
        (["--cfg", "job", "model.filters=0"], "from 1 to"),
        (["--dry-run", "dataset.image_size=0"], "give one side"),
        (["--config-dir", "nope", "--help"], "--config-dir is nope, which is no folder"),
        (["--cfg", "job", "-m", "seed=0,1"], "--cfg and --multirun exclude each other"),
        (["--cfg", "job", "--dry-run"], "--dry-run and --cfg exclude each other"),
        (["--cfg", "job", "--package", "trainr"], "did you mean 'trainer'"),
        (["--dry-run", "--config-name", "train"], "use --cfg job"),
        (["--dry-run", "-m", "hydra/sweeper=basic", "seed=0,1"], "use --cfg job"),
        (["--shell-completion", "install=bash"], "`dmf completion bash`"),
        (["--hydra-help"], "`dmf train --cfg hydra`"),
        (["--experimental-rerun", "config.pickle"], "environment.json"),
        (["hydra.mode=MULTIRUN"], "add -m"),
        (["hydra.verbose=true"], "DMF_DEBUG=1"),
        (
            ["+hydra.job.env_set.A=1"],
            "hydra.job.env_set={'A': '1'} does nothing for dmf: set variables before",
        ),
        (["-m", "seed=0,1", "hydra.job.chdir=true"], "hydra.job.chdir=True does nothing for dmf"),
        (["run_dir=${hydra:runtime.cwd}/x"], "run_dir refers to ${hydra:...}"),
    ],
)
def test_bad_input_is_one_line_code_2_and_leaves_nothing(trained, tmp_path, capsys, arguments, says):
    assert main(["train", *arguments]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert out == ""
    assert trained == []
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_asked_for_by_runs_only(trained, capsys):
    assert main(["train", "dataset=folder"]) == 2
    assert "dataset.dir is missing" in capsys.readouterr().err
    assert main(["train", "dataset=folder", "--cfg", "job"]) == 0
    assert main(["train", "dataset=folder", "--help"]) == 0


def test_cfg_prints_yaml_that_composes(trained, capsys):
    from omegaconf import OmegaConf

    assert main(["train", "--cfg", "job", "loss=iou+ce", "seed=3"]) == 0
    from dmf_cli import config

    printed = OmegaConf.to_container(OmegaConf.create(capsys.readouterr().out))
    assert config.validate(printed) == config.compose(["loss=iou+ce", "seed=3"])


def test_cfg_composes_once(trained, monkeypatch, capsys):
    """Half a second is what one waits for at most, and composing is most of it."""
    from dmf_cli.config import composer

    composed, compose = [], composer._compose
    monkeypatch.setattr(composer, "_compose", lambda *given: composed.append(given) or compose(*given))
    assert main(["train", "--cfg", "job", "seed=3"]) == 0
    assert len(composed) == 1


@pytest.mark.parametrize(
    ("options", "first", "holds"),
    [
        (["--package", "trainer"], "# @package trainer", "epochs: 3"),
        (["--package", "trainer.epochs"], "3", "3"),
        (["--package", "_global_"], "dataset:", "run_dir: ${now:%Y}/${seed}"),
        (["--resolve", "--package", "run_dir"], "/4", "/4"),
    ],
)
def test_cfg_of_a_package_and_resolved(options, first, holds, capsys):
    words = ["trainer.epochs=3", "seed=4", "run_dir=${now:%Y}/${seed}"]
    assert main(["train", "--cfg", "job", *options, *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(first)
    assert any(line.strip().endswith(holds) for line in lines)


def test_cfg_of_hydra_and_of_all(capsys):
    assert main(["train", "--cfg", "hydra", "--resolve", "output_root=here"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("hydra:\n")
    assert "    dir: here/.sweep/" in text
    assert "template:" not in text, "the texts of Hydra's help are long"
    assert main(["train", "--cfg", "all"]) == 0
    text = capsys.readouterr().out
    assert "\nhydra:\n" in f"\n{text}"
    assert "\ntrainer:\n" in text


def test_what_hydra_does_itself(trained, tmp_path, capfd):
    """Sweepers of others, and primary configs of another name."""
    assert main(["train", "-m", "hydra/sweeper=basic", "seed=7,1"]) == 1
    assert [config.seed for config in trained] == [7, 1]
    err = capfd.readouterr().err
    assert err.splitlines()[0] == "error: job 0 (seed=7): it failed"
    assert "error: 1 job(s) of the sweep failed, see above" in err
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.yaml").write_text("defaults:\n  - /train\n  - _self_\nseed: 4\n")
    assert main(["train", "--config-dir", str(own), "--config-name", "mine"]) == 0
    assert main(["train", "--config-dir", str(own), "--config-name", "mine", "seed=7"]) == 1
    assert [config.seed for config in trained[2:]] == [4, 7]
    assert capfd.readouterr().err.splitlines()[-1] == "error: it failed"


def test_facts_of_hydra():
    """In a process of its own, for Hydra turns its logging on."""
    words = [sys.executable, "-m", "dmf_cli", "train", "--info", "defaults", "loss=dice"]
    assert "loss/term/dice" in subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_help_shows_groups_keys_meanings_and_the_overrides_given(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist may set it
    assert main(["train", "--help", "loss=dice+iou", "loss.terms.iou.smooth=0.5", "auxiliary=cbdice"]) == 0
    text = capsys.readouterr().out
    groups = text.partition("groups (")[2].partition("config of this command")[0]
    unwrapped = " ".join(groups.split())
    for group in ("optimizer", "weighting", "auxiliary"):
        assert f"{group} {', '.join(conf_files.options(group))}" in unwrapped
    (line,) = [line for line in text.splitlines() if "loss.terms.iou.smooth " in line]
    assert line.split()[1] == "0.5"
    assert "(float > 0) added to numerator and denominator" in line
    assert "auxiliary.params.absent" in text


def test_version_is_ours(capsys):
    from dmf_cli import __version__

    with pytest.raises(SystemExit) as left:
        main(["train", "--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"dmf {__version__}\n"


def test_configs_of_ones_own(trained, tmp_path, capsys):
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "short.yaml").write_text("# @package _global_\ntrainer:\n  epochs: 2\n")
    assert main(["train", "--config-dir", str(tmp_path / "mine"), "experiment=short"]) == 0
    assert trained[0].trainer.epochs == 2
    assert (
        main(
            [
                "train",
                "--config-dir",
                str(tmp_path / "mine"),
                "-m",
                "experiment=short",
                "seed=0,1",
                "sweep.isolate=false",
            ]
        )
        == 0
    )
    assert [c.trainer.epochs for c in trained] == [2, 2, 2]
    capsys.readouterr()
    assert main(["train", "--config-dir", str(tmp_path / "mine"), "experiment=short", "--help"]) == 0
    assert re.search(r"trainer\.epochs +2\s", capsys.readouterr().out)


def test_broken_yaml_of_ones_own(trained, tmp_path, capsys):
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "short.yaml").write_text("a: [1\nb: 2\n")
    assert main(["train", "--config-dir", str(tmp_path), "experiment=short"]) == 2
    err = capsys.readouterr().err
    assert "not valid YAML" in err
    assert err.count("\n") == 1
