import contextlib
import re
import subprocess
import sys

import pytest

from dmf_cli import conf_files
from dmf_cli.cli import completion
from dmf_cli.cli.data import actions
from dmf_cli.cli.main import COMMANDS, main

TERMS = sorted(conf_files.terms())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dmf ", sorted(COMMANDS)),
        ("dmf tr", ["train"]),
        ("dmf train loss=cbdice+", [f"loss=cbdice+{term}" for term in TERMS if term != "cbdice"]),
        ("dmf train loss=cbdice+d", ["loss=cbdice+dice", "loss=cbdice+distance_ce"]),
        ("dmf train loss=0.7*di", ["loss=0.7*dice", "loss=0.7*distance_ce"]),
        ("dmf train loss=dice:0.7+i", ["loss=dice:0.7+iou"]),
        ("dmf train -m loss=dice,di", ["loss=dice,dice", "loss=dice,distance_ce"]),
        ("dmf train weig", ["weighting.", "weighting="]),
        (
            "dmf train weighting=v",
            [f"weighting={name}" for name in conf_files.options("weighting") if name[0] == "v"],
        ),
        ("dmf train -m weighting=var,m", ["weighting=var,mad", "weighting=var,mad_reference"]),
        (
            "dmf train auxiliary=cb",
            [f"auxiliary={n}" for n in conf_files.options("auxiliary") if n[:2] == "cb"],
        ),
        ("dmf train trainer.ep", ["trainer.epochs="]),
        ("dmf train trainer.backend=t", ["trainer.backend=tensorflow", "trainer.backend=torch"]),
        ("dmf train trainer.jit=", ["trainer.jit=auto", "trainer.jit=false", "trainer.jit=true"]),
        ("dmf train loss.terms.", ["loss.terms.bce.", "loss.terms.cbdice."]),
        ("dmf train loss=iou loss.terms.iou.s", ["loss.terms.iou.smooth="]),
        ("dmf train auxiliary=ce auxiliary.params.l", ["auxiliary.params.label_smoothing="]),
        ("dmf train plan=", ["plan=auto"]),
        ("dmf plan bud", ["budget="]),
        ("dmf plan model=unet model.fil", ["model.filters="]),
        ("dmf train seed", ["seed="]),
        ("dmf train seed=", []),
        ("dmf train --c", ["--cfg", "--config-dir"]),
        ("dmf train --cfg j", ["job"]),
        ("dmf list we", ["weightings"]),
        ("dmf eval ", []),
        ("dmf eval RUN split=t", ["split=test", "split=train"]),
        ("dmf eval RUN metrics.empty=o", ["metrics.empty=one"]),
        ("dmf replay ", []),
        ("dmf replay RUN weig", ["weighting.", "weighting="]),
        (
            "dmf replay RUN weighting=mad,va",
            [f"weighting=mad,{name}" for name in conf_files.options("weighting") if name[:2] == "va"],
        ),
        ("dmf replay RUN weighting=var,dwa weighting.te", ["weighting.temperature="]),
        ("dmf replay RUN trainer.", []),
        ("dmf data ", sorted(actions())),
        ("dmf data show dat", ["dataset.", "dataset="]),
        ("dmf data show dataset=busi", []),
        ("dmf data show trainer.", []),
        ("dmf data show cou", ["count="]),
        ("dmf data prepare --a", ["--archive"]),
        ("dmf predict ", []),  # the run folder, by the shell
        ("dmf predict RUN --p", ["--probabilities"]),
        ("dmf export RUN --format ", ["keras", "onnx", "savedmodel"]),
        ("dmf report --m", ["--metric"]),
        ("dmf doctor --backend t", ["tensorflow", "torch"]),
        ("dmf check lo", ["loss.", "loss="]),
        ("dmf check model=unet model.f", ["model.filters="]),
        ("dmf check trainer.", []),
        ("dmf check loss=cbd", ["loss=cbdice"]),
        ("dmf new exp", ["experiment"]),
        ("dmf doctor ", []),
        ("dmf resume --", ["--help", "--trust"]),
        ("dmf resume ", []),
        ("dmf nothing ", []),
    ],
)
def test_candidates(line, expected):
    assert completion.complete(line) == expected


def test_every_candidate_of_a_group_is_accepted():
    from dmf_cli import config

    for word in completion.complete("dmf train loss=cbdice+") + completion.complete("dmf train schedule="):
        config.compose([word])


def in_bash(line, prepare=""):
    """COMPREPLY after <TAB> at the end of ``line``."""
    script = f"""
    dmf() {{ "{sys.executable}" -m dmf_cli.cli.main "$@"; }}
    {prepare}
    {completion.script("bash")}
    COMP_LINE="{line}"; COMP_POINT={len(line)}
    _dmf dmf
    printf '%s\\n' "${{COMPREPLY[@]}}"
    complete -p dmf
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    *replies, rule = done.stdout.splitlines()
    assert rule == "complete -o default -F _dmf dmf"
    return replies


@pytest.mark.parametrize(
    ("line", "prepare", "expected"),
    [
        # bash breaks words at = and :, and replaces only the last piece
        ("dmf train loss=cbdice+i", "", ["cbdice+iou"]),
        ("dmf train loss=dice:0.7+i", "", ["0.7+iou"]),
        ("dmf train loss=cbdice+i", "COMP_WORDBREAKS=' '", ["loss=cbdice+iou"]),
        ("dmf tra", "", ["train"]),
    ],
)
def test_bash(line, prepare, expected):
    assert in_bash(line, prepare) == expected


def test_scripts_are_printed(capsys):
    assert main(["completion", "bash"]) == 0
    assert "complete -o default -F _dmf dmf" in capsys.readouterr().out
    assert main(["completion", "zsh"]) == 0
    assert "compdef _dmf dmf" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_install_twice_adds_one_line(shell, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    start = tmp_path / f".{shell}rc"
    start.write_bytes(b"alias x=y \xff")  # whatever the user's encoding is
    for _ in range(2):
        assert main(["completion", shell, "--install"]) == 0
    script = tmp_path / ".local/share/dmf" / f"completion.{shell}"
    assert start.read_bytes() == b'alias x=y \xff\nsource "%s"  # dmf completion\n' % bytes(script)
    assert script.read_text().startswith("_dmf()")
    assert str(script) in capsys.readouterr().out


def test_zsh_reads_its_start_file_where_the_user_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZDOTDIR", str(tmp_path / "zsh"))
    (tmp_path / "zsh").mkdir()
    assert main(["completion", "zsh", "--install"]) == 0
    assert "dmf completion" in (tmp_path / "zsh/.zshrc").read_text()


def test_a_home_that_cannot_be_written_is_reported_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / ".local").write_text("a file in the way")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert main(["completion", "bash", "--install"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert " cannot be written (" in line
    assert 'eval "$(dmf completion bash)"' in line


def test_tune_and_compare_have_their_own_words():
    assert {"trials=", "pruner=", "study="} <= set(completion.complete("dmf tune "))
    assert completion.complete("dmf tune pruner=") == ["pruner=hyperband", "pruner=median", "pruner=none"]
    assert "loss=dice+bce" in completion.complete("dmf tune loss=dice+")
    assert completion.complete("dmf compare --b") == ["--baseline", "--by"]
    assert completion.complete("dmf compare ") == []  # file names, by the shell


@pytest.mark.parametrize("command", [*COMMANDS, *(f"data {action}" for action in actions())])
def test_every_option_of_every_command_is_completed(command, capsys):
    with contextlib.suppress(SystemExit):
        main([*command.split(), "--help"])
    text = capsys.readouterr().out
    offered = set(completion.complete(f"dmf {command} RUN --"))
    said = set(re.findall(r"^  (?:-\w+(?: [\w,:/]+)?, )?(--[a-z-]+)", text, re.MULTILINE))
    assert said >= {"--help"}
    assert said == offered


def test_launchers_of_sweeps():
    assert completion.complete("dmf train -m hyd") == ["hydra/launcher="]
    assert "hydra/launcher=submitit_slurm" in completion.complete("dmf train -m hydra/launcher=s")
    assert completion.complete("dmf train -m sweep.on_error=s") == ["sweep.on_error=stop"]
    assert "--dry-run" in completion.complete("dmf train --d")


def test_resume_and_extend_know_what_may_differ():
    assert completion.complete("dmf resume runs/a data") == ["dataset.data_dir=", "dataset.dir="]
    assert "trainer.epochs=" in completion.complete("dmf extend runs/a ")
    assert completion.complete("dmf extend runs/a trainer.epochs=3 --sch") == ["--schedule"]
    assert completion.complete("dmf extend runs/a --schedule ") == ["continue", "restart"]
    assert completion.complete("dmf verify runs/a data") == ["dataset.data_dir=", "dataset.dir="]
    assert completion.complete("dmf verify runs/a --st") == ["--steps"]
    assert completion.complete("dmf extend ") == []  # run folders, by the shell
