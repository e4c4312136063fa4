"""``dmf completion``: tab completion for bash and zsh.

The shell asks ``dmf completion query LINE``. The answers come from the names and comments of the YAML
files, not from Hydra: half a second at every press of <TAB> would be too slow.
"""

import contextlib
import itertools
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli.main import COMMANDS
from dmf_cli.errors import UnknownNameError, UsageError
from dmf_cli.terminal.say import say, say_text

SHELLS = ("bash", "zsh")
# A test compares them with the parsers of the commands: to import those would be too slow here.
OPTIONS = {
    "train": ("multirun", "dry-run", "cfg", "config-dir", "version"),
    "resume": ("trust",),
    "verify": ("hashes", "steps", "tolerance", "trust"),
    "bundle": ("output", "weights"),
    "extend": ("schedule", "trust"),
    "eval": ("config-dir", "output", "trust"),
    "list": ("config-dir",),
    "predict": (
        *("output", "probabilities", "uncertainty", "threshold", "spacing"),
        *("exclude", "max-pixels", "trust"),
    ),
    "export": ("format", "output", "trust"),
    "report": ("output", "metric", "by", "baseline"),
    "compare": ("by", "baseline", "metric", "only", "difference", "margin", "split", "output"),
    "plan": ("json", "config-dir"),
    "tune": ("config-dir",),
    "replay": ("output", "config-dir"),
    "data prepare": ("archive", "config-dir"),
    "data show": ("output", "config-dir"),
    "data check": ("output", "config-dir"),
    "check": ("backends", "json", "config-dir"),
    "new": ("output",),
    "doctor": ("backend", "json"),
    "completion": ("install",),
}
# An option and what it takes.
VALUES = {
    "--cfg": ("job", "hydra", "all"),
    "-c": ("job", "hydra", "all"),
    "--format": ("keras", "onnx", "savedmodel"),
    "--schedule": ("continue", "restart"),
    "--backend": ("tensorflow", "jax", "torch"),
}

_BASH = r"""
_dmf() {
    local line="${COMP_LINE:0:COMP_POINT}" breaks="" head="" word reply
    word="${line##* }"
    # bash replaces only what follows the last = or : of the word, so the answers must lose the part before.
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+="="
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=":"
    if [[ -n $breaks && $word == *[$breaks]* ]]; then head="${word%"${word##*[$breaks]}"}"; fi
    COMPREPLY=()
    while IFS= read -r reply; do
        [[ -n $reply ]] && COMPREPLY+=("${reply#"$head"}")
        if [[ $reply == *[=.] || $word == loss=* ]]; then compopt -o nospace 2> /dev/null; fi
    done < <("$1" completion query "$line" 2> /dev/null)
}
complete -o default -F _dmf dmf
"""

_ZSH = r"""
_dmf() {
    local line="${(j: :)words[1,CURRENT-1]} ${PREFIX}"
    local -a replies
    replies=("${(@f)$("${words[1]}" completion query "$line" 2> /dev/null)}")
    replies=(${replies:#})
    if (( $#replies == 0 )); then
        _files
    elif (( CURRENT == 2 )); then
        compadd -- "${replies[@]}"
    else
        compadd -S '' -- "${replies[@]}"
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _dmf dmf
"""

_ABOUT = """\
Prints a script that completes commands, groups, options, keys, values and loss expressions
(dmf train loss=cbdice+<TAB>).

  eval "$(dmf completion bash)"      in this shell
  dmf completion bash --install      in every new shell: adds one line to ~/.bashrc (zsh: ~/.zshrc)
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf completion bash|zsh [--install]``, or ``query LINE`` for the shell."""
    if arguments and arguments[0] == "query":
        say(*complete(" ".join(arguments[1:])))
        return 0
    from dmf_cli.cli._parser import Parser

    parser = Parser(prog="dmf completion", description=_ABOUT)
    parser.add_argument("shell", metavar="SHELL", help="bash or zsh")
    parser.add_argument("--install", action="store_true", help="for every new shell")
    options = parser.parse_args(list(arguments))
    if options.shell not in SHELLS:
        raise UnknownNameError("shell", options.shell, SHELLS)
    say_text(_install(options.shell) if options.install else script(options.shell).strip())
    return 0


def script(shell: str) -> str:
    """The script that ``shell`` evaluates."""
    return _BASH if shell == "bash" else _ZSH


def complete(line: str) -> list[str]:
    """What the last word of ``line`` (up to the cursor) can become, as whole words."""
    *before, word = line.split(" ")
    words = [w for w in before if w][1:]
    if not words:
        candidates: list[str] = list(COMMANDS)
    elif words == ["data"]:
        from dmf_cli.cli.data import actions

        candidates = actions()
    elif word.startswith("-"):
        candidates = _options(words)
    elif words[-1] in VALUES:
        candidates = list(VALUES[words[-1]])
    elif words[-1] == "--metric":
        from dmf_cli.parts import registry

        candidates = registry.names("metric")
    elif words[0] in ("train", "eval", "replay", "data", "tune", "check", "plan"):
        candidates = _overrides(words, word)
    elif words[0] in ("resume", "extend", "verify") and len(words) > 1:
        candidates = _changes(words)
    else:
        candidates = _arguments(words[0])
    return sorted({candidate for candidate in candidates if candidate.startswith(word) and candidate != word})


def _options(words: list[str]) -> list[str]:
    """The options of a command, of ``data`` those of its action."""
    found = OPTIONS.get(" ".join(words[:2]) if words[0] == "data" else words[0], ())
    return [*(f"--{name}" for name in found), "--help"]


def _arguments(command: str) -> list[str]:
    """Arguments of the commands that take no overrides; none lets the shell complete file names."""
    if command == "list":
        from dmf_cli.cli.list import KINDS

        return list(KINDS)
    if command == "new":
        from dmf_cli.cli.new import NAMES

        return list(NAMES)
    return list(SHELLS) if command == "completion" else []


def _changes(words: list[str]) -> list[str]:
    """What may differ in a run that is resumed, verified or extended."""
    from dmf_cli.config.moving import PLACES

    if words[0] in ("resume", "verify"):
        return [f"{key}=" for key in PLACES]
    return [f"{key}=" for key in ("trainer.epochs", "trainer.patience", "run_dir", *PLACES)]


def _overrides(words: list[str], word: str) -> list[str]:
    if words in (["eval"], ["replay"]) and "=" not in word:
        return []  # the run folder
    from dmf_cli import conf_files
    from dmf_cli.cli import _plugins

    with contextlib.suppress(UsageError):  # what is wrong with a plugin is said when the command is given
        words = [words[0], *_plugins.applied(words[0], words[1:])]
    from dmf_cli.config import keys

    given = dict(w.split("=", 1) for w in words if "=" in w)
    known = keys.values(
        {**keys.default_choices(), **{g: v for g, v in given.items() if g in conf_files.groups()}}
    )
    if words[0] == "eval":
        from dmf_cli.inference.evaluation_config import READ

        known = {key: names for key, names in known.items() if key.startswith(READ)}
        known["split"] = ["train", "val", "test", "all"]
    if words[0] == "tune":
        from dmf_cli.tuning import study

        known |= {key: [] for key in study.OWN}
        known |= {"pruner": list(study.PRUNERS), "weights": ["true", "false"]}
    if words[0] in ("plan", "train"):
        known |= {"budget": [], "memory": []} | ({"plan": ["auto"]} if words[0] == "train" else {})
    if words[0] == "replay":
        known = keys.values({"weighting": given.get("weighting", "var").rpartition(",")[2]})
        known = {key: names for key, names in known.items() if key.startswith("weighting.")}
    if words[0] == "data":
        known = {key: names for key, names in known.items() if key.startswith(("dataset.", "split."))}
        if words[1] == "show":
            known["count"] = []
    if words[0] == "check":
        from dmf_cli.cli.check import GROUPS

        known = {key: names for key, names in known.items() if key.partition(".")[0] in GROUPS}
    if "=" in word:
        return [*_values(word, words[0], known), *_own_options(word, words)]
    chosen = {"eval": ["dataset"], "replay": ["weighting"], "data": ["dataset", "split"]}
    chosen["check"] = [*GROUPS, "plugins"] if words[0] == "check" else []
    if words[0] == "train" and word.startswith("h"):
        return ["hydra/launcher="]
    groups = [f"{group}=" for group in chosen.get(words[0], conf_files.groups())]
    return [*groups, *_next_part(word, known)]


def _values(word: str, command: str, known: dict[str, list[str]]) -> list[str]:
    """``GROUP=OPTION`` or ``KEY=CHOICE``; what stands before the last comma of a sweep stays."""
    from dmf_cli import conf_files

    key, _, value = word.partition("=")
    kept = value[: value.rfind(",") + 1]
    if key == "hydra/launcher":
        return [f"{key}={launcher}" for launcher in ("basic", *conf_files.LAUNCHERS)]
    if key == "metric":
        from dmf_cli.parts import registry

        return [f"metric={kept}{name}" for name in registry.names("metric")]
    if key == "loss":
        return [f"loss={candidate}" for candidate in _expressions(value, conf_files.terms())]
    if key == "metrics" and "+" in value:
        from dmf_cli.config import own_metrics

        return [f"metrics={candidate}" for candidate in _expressions(value, list(own_metrics.known()))]
    is_group = key in conf_files.groups() and not (command == "eval" and key == "split")
    options = conf_files.options(key) if is_group else known.get(key, [])
    return [f"{key}={kept}{option}" for option in options]


def _own_options(word: str, words: list[str]) -> list[str]:
    """``GROUP=OPTION`` of the YAML files in the folder of ``--config-dir``."""
    folders = [after for before, after in itertools.pairwise(words) if before in ("--config-dir", "-cd")]
    group, _, value = word.partition("=")
    if not folders or not group.isidentifier():
        return []
    kept = value[: value.rfind(",") + 1]
    files = Path(folders[-1]).expanduser().glob(f"{group}/*.yaml")
    return [f"{group}={kept}{file.stem}" for file in files]


def _expressions(value: str, terms: list[str]) -> list[str]:
    """The expression with its last term completed; terms that it already has are not offered."""
    head = value[: max(value.rfind(sign) for sign in "+,*") + 1]
    used = re.findall(r"[A-Za-z_]\w*", head.rpartition(",")[2])
    return [f"{head}{term}" for term in terms if term not in used]


def _next_part(word: str, known: dict[str, list[str]]) -> list[str]:
    """Keys up to their next dot: ``trainer.``, then ``trainer.epochs=``."""
    parents = {key.rpartition(".")[0] for key in known}
    depth = word.count(".") + 1
    found = []
    for key in known:
        part = ".".join(key.split(".")[:depth])
        found += [f"{part}."] if part in parents or key != part else []
        found += [f"{part}="] if key == part and part not in parents else []
    return found


def _install(shell: str) -> str:
    """Write the script to the user's data folder and source it from the shell's start file, once."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "dmf"
    target, start = data / f"completion.{shell}", _start_file(shell)
    try:
        data.mkdir(parents=True, exist_ok=True)
        target.write_text(script(shell).lstrip(), encoding="utf-8")
        _append(start, f'source "{target}"  # dmf completion')
    except OSError as error:
        raise UsageError(
            path=error.filename or target,
            reason=f"cannot be written ({error.strerror or error})",
            hint=f'put the line eval "$(dmf completion {shell})" into {start} yourself',
        ) from error
    now = shlex.join(["source", str(target)])
    return f"wrote {target} and sourced it from {start}: open a new shell, or run: {now}"


def _start_file(shell: str) -> Path:
    """What every new shell reads."""
    home = os.environ.get("ZDOTDIR") if shell == "zsh" else None
    return Path(home or Path.home()) / f".{shell}rc"


def _append(file: Path, line: str) -> None:
    """Add ``line`` unless it is there; what the user has in ``file`` is not written again."""
    text = file.read_bytes() if file.is_file() else b""
    if line.encode() not in text.splitlines():
        with file.open("ab") as stream:
            stream.write((b"" if not text or text.endswith(b"\n") else b"\n") + line.encode() + b"\n")
