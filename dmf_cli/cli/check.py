"""``dmf check``: the properties that dmf's own parts are tested with, on any part."""

import dataclasses
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dmf_cli import hints
from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.errors import RunError, UsageError
from dmf_cli.terminal.say import say, say_text

if TYPE_CHECKING:
    from dmf_cli.checking import PropertyResult

# What is chosen by which word -> kind of part.
GROUPS = {
    "loss": "loss",
    "model": "model",
    "weighting": "strategy",
    "metric": "metric",
    "augment": "augmentation",
}
WORDS = (*GROUPS, "metrics", "dataset")  # they choose a part, and are no parameters of others
BACKEND = "trainer.backend"

_ABOUT = """\
Tries losses, networks, weighting strategies, metrics and augmentations, of yours or of dmf, with the tests
that dmf has for its own: small inputs, from one pixel on. Shows what holds, and for what does not the
smallest input that shows it. Exit code 1 if something does not hold; a note may describe what is intended.

  GROUP=NAME   loss, model, weighting, metric or augment; several: loss=dice,bce model=unet
  KEY=VALUE    parameters and plugins, as of dmf train
  nothing      all parts of the given plugins, or of those of the project

examples:
  dmf check plugins=my.py
  dmf check plugins=my.py loss=mine loss.terms.mine.alpha=0.3 --backends
  dmf check model=unet model.filters=4 weighting=var
"""


@dataclasses.dataclass(frozen=True)
class Part:
    """What is to be checked: a kind of part, its name and its parameters."""

    kind: str
    name: str
    params: Mapping[str, Any]
    place: str = ""


def run(arguments: Sequence[str]) -> int:
    """``dmf check [GROUP=NAME ...] [KEY=VALUE ...] [--backends] [--json]``."""
    parser = Parser(prog="dmf check", description=_ABOUT)
    parser.add_argument("words", nargs="*", default=[], metavar="WORD", help="GROUP=NAME or KEY=VALUE")
    parser.add_argument(
        "--backends", action="store_true", help="also on the other backends that are installed"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects for programs")
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    words = [*options.words, *own_configs(options.config_dir)]
    begin = time.monotonic()
    parts = chosen(words)
    results = list(_checked(words, parts, quiet=options.json))
    if options.backends:
        results += _elsewhere(list(arguments), words, quiet=options.json)
    if options.json:
        say_text(json.dumps([{**dataclasses.asdict(one), **of} for of, one in results], indent=2))
    return _conclude(results, time.monotonic() - begin, quiet=options.json)


def chosen(words: Sequence[str]) -> list[Part]:
    """The parts that the words name, or all of their plugins.

    Raises:
        UsageError: there is nothing to check.
        ConfigError: a word is wrong, as in ``dmf train``.
        PluginError: a plugin cannot be read.
    """
    from dmf_cli.config import plugin_options

    plugin_options.activate(words)
    pairs = [word.partition("=") for word in words]
    wanted = [one for group, _, text in pairs for one in _named(group, text)] or _of_plugins()
    terms = "+".join(name for group, name in wanted if group == "loss")  # whose parameters are of one config
    chosen = dict.fromkeys(("loss", terms) if group == "loss" else (group, name) for group, name in wanted)
    rest = [word for word, (group, *_) in zip(words, pairs, strict=True) if group not in WORDS]
    return [part for group, name in chosen for part in _parts(group, name, rest)]


def _named(group: str, text: str) -> list[tuple[str, str]]:
    """Group and name of the parts that ``GROUP=TEXT`` names, as ``metrics=default+mine`` does ``mine``."""
    if group == "dataset":
        raise UsageError(
            f"dmf check tries no dataset: {group}={text}",
            hint=hints.command("data", "check", f"{group}={text}"),
        )
    names = text.split(",")
    if group != "metrics":
        return [(group, name) for name in names] if group in GROUPS else []
    from dmf_cli.config import own_metrics

    own = [name for choice in names for name in own_metrics.parse(choice)[1]]
    if not own:
        raise UsageError(f"metrics={text} names no metric of yours", hint="name those of dmf as metric=dice")
    return [("metric", name) for name in own]


def _of_plugins() -> list[tuple[str, str]]:
    """Group and name of all parts of plugins that can be checked."""
    from dmf_cli.parts import plugins

    groups = {kind: group for group, kind in GROUPS.items()}
    definitions = [one for plugin in plugins.active() for one in plugin.definitions]
    found = [(groups[one.kind], one.name) for one in definitions if one.kind in groups]
    if not found:
        other = [
            hints.command("data", "check", f"dataset={one.name}")
            for one in definitions
            if one.kind == "dataset"
        ]
        hint = f"of datasets: {other[0]}" if other else "give loss=NAME, model=NAME, ..., or plugins=my.py"
        raise UsageError("dmf check has nothing to check", hint=hint)
    return found


def _parts(group: str, name: str, rest: Sequence[str]) -> Iterator[Part]:
    """The parts of ``GROUP=NAME``, with the parameters that the other words give."""
    from dmf_cli import config
    from dmf_cli.parts import plugins, registry

    kind = GROUPS[group]
    others = {*GROUPS, "metrics"} - {group, "metrics" if kind == "metric" else ""}
    rest = [word for word in rest if word.partition(".")[0] not in others]
    if kind == "metric":
        params: dict[str, Any] = {name: {}}
        if plugins.of_part(registry.definition(kind, name)) is not None:  # those of dmf have none to choose
            params = config.compose([f"metrics=default+{name}", *rest]).plain["metrics"]["own"]
    else:
        composed = config.compose([f"{group}={name}", *rest]).plain
        values = composed[group]
        params = values["terms"] if kind == "loss" else {values["name"]: _params(kind, values)}
    for part, given in params.items():
        definition = registry.definition(kind, part)
        yield Part(kind, part, given, definition.place if plugins.of_part(definition) else "")


def _params(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the function among the keys of a group."""
    from dmf_cli.config import schema

    fields = {field.name for field in dataclasses.fields(schema.Model)} if kind == "model" else {"name"}
    return {key: value for key, value in values.items() if key not in fields}


Result = tuple[dict[str, str], "PropertyResult"]


def _checked(words: Sequence[str], parts: Sequence[Part], *, quiet: bool) -> Iterator[Result]:
    """The outcomes of each part, shown as soon as they are there."""
    from dmf_cli import checking
    from dmf_cli.terminal import outcomes

    backend = _start(words, parts)
    for part in parts:
        with outcomes.shown(_title(part), quiet=quiet) as show:
            for outcome in checking.check(part.kind, part.name, part.params):
                show(outcome)
                yield {"kind": part.kind, "part": part.name, "backend": backend}, outcome


def _start(words: Sequence[str], parts: Sequence[Part]) -> str:
    """Import the backend on a CPU, if a part needs one; returns its name."""
    from dmf_cli import config, runtime

    if all(part.kind == "metric" for part in parts):
        return ""
    trainer = config.compose([word for word in words if word.startswith("trainer.")]).trainer
    trainer = dataclasses.replace(trainer, device="cpu", precision="float32", jit=False, deterministic=False)
    return runtime.start(trainer).backend


def _title(part: Part) -> str:
    given = ", ".join(f"{key}={value}" for key, value in part.params.items())
    return (
        f"{part.kind} {part.name}"
        + (f", {part.place}" if part.place else "")
        + (f" ({given})" if given else "")
    )


def _elsewhere(arguments: Sequence[str], words: Sequence[str], *, quiet: bool) -> Iterator[Result]:
    """The same on each other backend that is installed, in a process of its own."""
    import keras

    from dmf_cli.checking import PropertyResult
    from dmf_cli.cli import _plugins
    from dmf_cli.cli.doctor import BACKENDS, package
    from dmf_cli.jobs.process import environment, python
    from dmf_cli.parts import plugins
    from dmf_cli.terminal import outcomes

    rest = [
        word for word in arguments if word not in ("--backends", "--json") and not word.startswith(BACKEND)
    ]
    if known := plugins.active():
        rest.append(_plugins.word(known))  # the words of the user that name them are gone by now
    here = keras.backend.backend()
    for backend in BACKENDS:
        if backend == here or package(backend, required=False).state != "ok":
            continue
        command = python("dmf_cli", "check", "--json", *rest, f"{BACKEND}={backend}")
        done = subprocess.run(command, capture_output=True, text=True, env=environment())
        if done.returncode not in (0, 1) or not done.stdout.startswith("["):
            last = next(
                (line for line in reversed(done.stderr.splitlines()) if line.strip()), "it says nothing"
            )
            raise RunError(f"dmf check on {backend} ended with code {done.returncode}: {last}")
        found = json.loads(done.stdout)
        fields = [field.name for field in dataclasses.fields(PropertyResult)]
        results = [
            ({k: v for k, v in one.items() if k not in fields}, PropertyResult(**{k: one[k] for k in fields}))
            for one in found
        ]
        with outcomes.shown(f"on {backend}", quiet=quiet) as show:
            for of, outcome in results:
                show(dataclasses.replace(outcome, name=f"{of['part']}: {outcome.name}"))
        yield from results


def _conclude(results: Sequence[Result], seconds: float, *, quiet: bool) -> int:
    from dmf_cli.checking import FAILED
    from dmf_cli.terminal import outcomes
    from dmf_cli.terminal.formats import duration

    failed = [(of, one) for of, one in results if one.state == FAILED]
    if not quiet:
        for of, one in failed:
            outcomes.example(f"{of['kind']} {of['part']}: {one.name}", one)
        say("", f"{outcomes.summary([one for _, one in results])}, in {duration(seconds)}")
    return 1 if failed else 0
