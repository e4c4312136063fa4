"""``dmf``: finds the command, runs it, and turns every error into one line and an exit code.

Nothing heavy is imported here, so that ``dmf --help`` is instant: each command imports what it needs.
"""

import importlib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence

from dmf_cli import __version__, interrupts
from dmf_cli.terminal.say import say, say_text
from dmf_cli.terminal.wrapping import fit

# Name -> what it does; the command NAME is ``run(arguments) -> exit code`` in dmf_cli/cli/NAME.py.
COMMANDS = {
    "train": "train a model with several losses; -m for sweeps",
    "resume": "resume an interrupted run, in its folder",
    "verify": "train a run again and prove that it repeats, or say where it differs",
    "bundle": "one archive of runs for a paper, with a hash of each file",
    "extend": "train a run on for more epochs, as a new run",
    "eval": "score a run on a split, or on data it never saw",
    "predict": "masks, overlays and areas for images of your own",
    "export": "the best network as Keras, ONNX or SavedModel, with a note of how to use it",
    "report": "one HTML file that shows a run, or compares many",
    "compare": "compare runs with a baseline: differences, intervals, tests, plots",
    "plan": "what to train with on these images, here, in a given time",
    "tune": "search fixed weights, or any settings, by the validation split",
    "replay": "the weights that other strategies would have given on recorded losses",
    "data": "get, show and check the images of a dataset",
    "list": "losses, weightings, models, datasets, recipes, experiments, metrics",
    "check": "test your own loss, network, strategy, metric or augmentation",
    "new": "a file with a loss, network, strategy, ... of your own to start from",
    "doctor": "check versions, backend, devices and paths, and say what to do",
    "completion": "tab completion for bash and zsh",
}

_HELP = """\
dmf {version}: segmentation models trained with several losses whose weights adapt

usage: dmf COMMAND [ARGUMENTS]     (dmf COMMAND --help explains a command)

{commands}

  -h, --help     this text
  --version      the version

examples:
  dmf train loss=cbdice+bce                      the default experiment on synthetic ultrasound
  dmf train loss=dice:0.7+bce:0.3 weighting=fixed dataset=busi dataset.dir=PATH
  dmf list losses

DMF_DEBUG=1 prints tracebacks. Exit codes: 0 done, 1 a run failed, 2 wrong command or config, 130 interrupted,
143 ended by SIGTERM.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dmf ARGUMENTS`` (default: those of the process) and return its exit code."""
    if arguments is None:  # a process of its own
        interrupts.install()
        for stream in (sys.stdout, sys.stderr):  # a file's name may be no text, or none of this terminal's
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # one more, while the first was reported
        return interrupts.exit_code()
    finally:
        interrupts.ending()


def _main(words: list[str]) -> int:
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return _closed_pipe()
    except KeyboardInterrupt as stop:
        return _interrupted(*stop.args)
    except Exception as error:
        from dmf_cli.errors import DmfError
        from dmf_cli.terminal.failure import report

        if interrupts.asked() and not isinstance(error, DmfError):
            return _interrupted()  # what the signal raised came out of some C++ code as another error
        return report(error)


def _interrupted(*what: object) -> int:
    say(": ".join(["interrupted", *map(str, what)]), error=True)
    return interrupts.exit_code()


def help_text() -> str:
    """What ``dmf --help`` prints."""
    commands = "\n".join(f"  {name:<12} {what}" for name, what in COMMANDS.items())
    return fit(_HELP.format(version=__version__, commands=commands))


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else "--help"
    if first in ("-h", "--help") or (first == "help" and len(words) == 1):
        say_text(help_text())
        return 0
    if first in ("--version", "-V"):
        say(f"dmf {__version__}")
        return 0
    if first == "help":
        words = [words[1], "--help"]
    command = _command(words[0])
    from dmf_cli.cli import _plugins

    _check_homes(words[1:])
    return command(_plugins.applied(words[0], words[1:]))


def _check_homes(words: Sequence[str]) -> None:
    """Whether ``~name`` in a path is somebody: Python would end with an error that names nobody."""
    from dmf_cli import conf_files
    from dmf_cli.errors import UsageError

    for word in words:
        key, _, place = word.rpartition("=")
        # `~trainer` and `~hydra/launcher` remove a key; a path has a folder behind the name.
        user, slash, _ = place.partition("/")
        if not re.fullmatch(r"~[A-Za-z_][\w.-]*", user) or os.path.lexists(place):
            continue
        removes = not key and (not slash or user[1:] in (*conf_files.groups(), "hydra"))
        if not removes and os.path.expanduser(place) == place:  # noqa: PTH111
            reason = f"and {user} is no user of this machine"
            raise UsageError(key=key or "the path", value=place, reason=reason, hint="write the whole path")


def _command(name: str) -> Callable[[Sequence[str]], int]:
    """The ``run(arguments) -> exit code`` of a command."""
    from dmf_cli.errors import UnknownNameError

    if name not in COMMANDS:
        options = ["--help", "--version"]
        kind, allowed = ("option", options) if name.startswith("-") else ("command", list(COMMANDS))
        raise UnknownNameError(kind, name, allowed, "see dmf --help")
    command: Callable[[Sequence[str]], int] = importlib.import_module(f"dmf_cli.cli.{name}").run
    return command


def _closed_pipe() -> int:
    """The reader is gone (``dmf list | head -1``): say nothing, not even when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


if __name__ == "__main__":
    sys.exit(main())
