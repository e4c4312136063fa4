import io
import os
import subprocess
import sys

import pytest

from dmf_cli import __version__
from dmf_cli.cli import main as root
from dmf_cli.errors import ConfigError, RunError, UsageError
from dmf_cli.quiet import quiet

HEAVY = (
    "numpy",
    "pydantic",
    "hydra",
    "omegaconf",
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "rich",
    "scipy",
    "matplotlib",
)


def loaded_after(*arguments):
    """Names in ``sys.modules`` after ``dmf ARGUMENTS`` in a fresh process, and what it printed."""
    code = (
        "import sys; from dmf_cli.cli.main import main; code = main(sys.argv[1:]);"
        "print('MODULES', code, *{m.partition('.')[0] for m in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    text, _, last = done.stdout.rpartition("MODULES ")
    code, *modules = last.split()
    assert code == "0"
    return set(modules), text


@pytest.mark.parametrize(
    "arguments", [["--help"], ["completion", "query", "dmf train loss=cbdice+"], ["list"]]
)
def test_light_commands_import_nothing_heavy(arguments):
    modules, text = loaded_after(*arguments)
    assert text
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["train", "--help"], ["train", "--cfg", "job"]])
def test_inspecting_a_config_imports_hydra_only(arguments):
    modules, text = loaded_after(*arguments)
    assert "cbdice" in text
    assert "hydra" in modules
    assert modules.isdisjoint(set(HEAVY) - {"hydra", "omegaconf", "pydantic"})


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(capsys, arguments):
    assert root.main(arguments) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in root.COMMANDS)


@pytest.mark.parametrize("command", list(root.COMMANDS))
def test_every_command_has_a_help(capsys, command):
    with pytest.raises(SystemExit) if command != "train" else _nothing() as left:
        root.main([command, "--help"])
    assert left is None or left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: dmf {command}")
    assert len(text.splitlines()) > 5


def test_help_of_a_command_by_name(capsys):
    with pytest.raises(SystemExit):
        root.main(["help", "list"])
    assert capsys.readouterr().out.startswith("usage: dmf list")


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_version(capsys, arguments):
    assert root.main(arguments) == 0
    assert capsys.readouterr().out == f"dmf {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "unknown command 'trian': did you mean 'train'?"),
        (["--versoin"], "unknown option '--versoin': did you mean '--version'?"),
        (["list", "modles"], "did you mean 'models'?"),
        (["list", "models", "x"], "unrecognized arguments: x; see dmf list --help"),
        (["doctor", "--jsn"], "did you mean '--json'?"),
        (["doctor", "--backend", "tensorfow"], "did you mean 'tensorflow'?"),
        (["completion", "fish"], "unknown shell 'fish'"),
        (["resume"], "required: RUN; see dmf resume --help"),
        (["eval"], "required: RUN; see dmf eval --help"),
        (["resume", "nowhere"], "nowhere does not exist"),
        (["eval", "nowhere"], "nowhere does not exist"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(capsys, arguments, says):
    assert root.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert says in err
    assert err.count("\n") == 1


def raising(monkeypatch, error):
    def run(arguments):
        raise error

    monkeypatch.setattr(root, "_command", lambda name: run)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ConfigError("a\nb"), 2, "error: a b\n"),
        (RunError("failed; the log is x"), 1, "error: failed; the log is x\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyboardInterrupt("`dmf resume x`"), 130, "interrupted: `dmf resume x`\n"),
        (KeyError("k"), 1, "DMF_DEBUG=1"),
        (ZeroDivisionError(), 1, "unexpected ZeroDivisionError"),
    ],
)
def test_exit_codes(monkeypatch, capsys, error, code, says):
    monkeypatch.delenv("DMF_DEBUG", raising=False)
    raising(monkeypatch, error)
    assert root.main(["train"]) == code
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_debug_prints_the_traceback_too(monkeypatch, capsys):
    monkeypatch.setenv("DMF_DEBUG", "1")
    raising(monkeypatch, ConfigError("wrong"))
    assert root.main(["train"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("error: wrong\n")


@pytest.mark.parametrize("no", ["", "0", "false", "No", "off"])
def test_debug_can_be_switched_off(monkeypatch, capfd, no):
    monkeypatch.setenv("DMF_DEBUG", no)
    raising(monkeypatch, ConfigError("wrong"))
    assert root.main(["train"]) == 2
    with quiet():  # what TensorFlow greets with
        os.write(2, b"half a page")
    assert capfd.readouterr().err == "error: wrong\n"


def test_a_closed_pipe_is_silent():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "dmf_cli.cli.main", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


class _nothing:  # noqa: N801 - stands in for a context manager function
    def __enter__(self):
        return None

    def __exit__(self, *exc):
        return None


def test_a_name_that_the_terminal_cannot_show_is_shown_in_part(monkeypatch):
    """``LANG=C``, or a file whose name is in Latin-1."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["dmf", "--help"])
    monkeypatch.setattr(root.interrupts, "install", lambda: None)
    monkeypatch.setattr(root, "help_text", lambda: "caf\udce9 å")
    assert root.main() == 0
    assert out.buffer.getvalue() == rb"caf\udce9 \xe5" + b"\n"


@pytest.mark.parametrize("word", ["~hydra/launcher", "~trainer", "dataset.exclude=~*", "~snapshot/a.png"])
def test_a_tilde_that_names_no_user_is_no_mistake(word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~snapshot").mkdir()
    (tmp_path / "~snapshot/a.png").touch()
    root._check_homes([word])
    with pytest.raises(UsageError):
        root._check_homes(["~nobody_xyz/a.png"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["plan", "--budget", "30m"], "use budget=30m"),
        (["plan", "--image-size=64"], "use dataset.image_size=64"),
        (["tune", "--trials=3"], "use trials=3"),
        (["tune", "--epochs", "3"], "use trainer.epochs=3"),
        (["data", "check", "--dataset", "busi"], "use dataset=busi"),
        (["data", "show", "--count", "4"], "use count=4"),
        (["data", "check", "--outptu", "x"], "did you mean '--output'?"),
    ],
)
def test_a_setting_with_dashes_is_answered_by_how_it_is_written(capsys, words, says):
    assert root.main(words) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert "allowed:" not in said
