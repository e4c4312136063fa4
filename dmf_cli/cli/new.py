"""``dmf new``: a file with a part of your own, documented, which passes ``dmf check`` unchanged."""

import keyword
import os
import re
from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser
from dmf_cli.errors import UnknownNameError, UsageError
from dmf_cli.files import disk_errors, write_atomic
from dmf_cli.parts import project, registry
from dmf_cli.parts.definitions import NUMBERS, WORDS
from dmf_cli.parts.kinds import KINDS
from dmf_cli.terminal.say import say

TEMPLATES = Path(__file__).parent.parent / "templates"
EXPERIMENT = "experiment"
NAMES = (*KINDS, EXPERIMENT)
PLACEHOLDER = r"\bmine\b"
# Kind -> the words that check it and train with it.
USES = {
    "loss": ("check {plugins} loss={name}", "train {plugins} loss={name}+ce"),
    "model": ("check {plugins} model={name}", "train {plugins} model={name}"),
    "strategy": ("check {plugins} weighting={name}", "train {plugins} weighting={name}"),
    "metric": ("check {plugins} metric={name}", "train {plugins} metrics=default+{name}"),
    "augmentation": ("check {plugins} augment={name}", "train {plugins} augment={name}"),
    "dataset": ("data check {plugins} dataset={name}", "train {plugins} dataset={name}"),
    EXPERIMENT: ("train -m {plugins} experiment={name} --dry-run", "train -m {plugins} experiment={name}"),
}

_ABOUT = """\
Writes a file with a part of your own to start from: documented and complete. The file is a plugin
(plugins=NAME.py); an experiment is a YAML file in the folder of your configs.

  loss, model, strategy, metric, augmentation, dataset, experiment

examples:
  dmf new loss mine
  dmf new model tiny_net -o nets.py
  dmf new experiment seeds
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf new KIND NAME [-o FILE]``."""
    parser = Parser(prog="dmf new", description=_ABOUT)
    parser.add_argument("kind", metavar="KIND", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("name", metavar="NAME", help="a name that dmf does not have yet")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="default: NAME.py, here")
    options = parser.parse_args(list(arguments))
    if options.kind not in NAMES:
        raise UnknownNameError("kind of part", options.kind, NAMES)
    _check_name(options.kind, options.name)
    settings = project.read()
    file = _place(options.kind, options.name, options.output, settings)
    _write(file, text(options.kind, options.name))
    say(*[f"wrote {_shown(file)}", *_next(options.kind, options.name, file, settings)])
    return 0


def text(kind: str, name: str) -> str:
    """The file of a part called ``name``."""
    template = TEMPLATES / f"{kind}{'.yaml' if kind == EXPERIMENT else '.py'}"
    return re.sub(PLACEHOLDER, name, template.read_text(encoding="utf-8"))


def _check_name(kind: str, name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        allowed = "letters, digits and _, beginning with a letter, as my_loss"
        raise UsageError(key="NAME", value=name, allowed=allowed)
    if name.lower() in (*NUMBERS, *WORDS):
        hint = "choose another, which the command line does not read as a value"
        raise UsageError(key="NAME", value=name, reason="which is a value", hint=hint)
    from dmf_cli import conf_files

    taken = {*(conf_files.options(kind) if kind == EXPERIMENT else registry.names(kind))}
    group = KINDS[kind].group if kind in KINDS else kind
    if group in conf_files.groups():
        taken |= {*conf_files.options(group)}
    if name in taken:
        hint = "choose another; `dmf list` shows all"
        raise UsageError(key="NAME", value=name, reason="which is taken", hint=hint)


def _place(kind: str, name: str, given: Path | None, settings: project.Project) -> Path:
    """Where the file is written; nothing is there yet."""
    folder = (settings.config_dir or Path("conf")) / EXPERIMENT
    file = (
        given.expanduser() if given else folder / f"{name}.yaml" if kind == EXPERIMENT else Path(f"{name}.py")
    )
    suffix = ".yaml" if kind == EXPERIMENT else ".py"
    if file.suffix != suffix:
        raise UsageError(key="--output", value=str(file), allowed=f"a file that ends in {suffix}")
    if file.exists():
        raise UsageError(path=file, reason="exists, and is not overwritten", hint="give another with -o FILE")
    return file


def _write(file: Path, content: str) -> None:
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, content)


def _next(kind: str, name: str, file: Path, settings: project.Project) -> list[str]:
    """The commands that come next, and what the settings of the project lack."""
    known = kind == EXPERIMENT or any(_is(file, one, settings) for one in settings.plugins)
    own = settings.config_dir is not None and file.absolute().is_relative_to(settings.config_dir)
    plugins = "" if known else f"plugins={_shown(file)}"
    if kind == EXPERIMENT and not own:
        plugins = f"--config-dir {_shown(file.parent.parent)}"
    lines = [
        "next:",
        *(f"  dmf {' '.join(use.format(plugins=plugins, name=name).split())}" for use in USES[kind]),
    ]
    if settings.file is not None and not known:
        here = os.path.relpath(file.absolute(), settings.file.parent)
        every = ", ".join(f'"{one}"' for one in [*settings.plugins, here])
        lines += [f"to type no plugins=, put into {_shown(settings.file)}:", f"  plugins = [{every}]"]
    return lines


def _is(file: Path, plugin: str, settings: project.Project) -> bool:
    """Whether ``plugin`` of the project is ``file``."""
    base = settings.file.parent if settings.file else Path.cwd()
    place = base / (plugin if plugin.endswith(".py") else f"{plugin.replace('.', '/')}.py")
    return place.resolve() == file.resolve()


def _shown(file: Path) -> str:
    """As short as it can be typed here."""
    here = Path.cwd()
    whole = file.absolute()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(file)
