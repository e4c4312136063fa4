"""Objects where a name stands: a function, a Keras model or a pair of arrays becomes a part of this process.

They are registered by a name, which the config has as any other (:mod:`dmf_cli.parts.given`): the run and its
report say what it is called, and a hash of it is part of the run's id.
"""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import conf_files
from dmf_cli.api import object_hash, own_data, words
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, PluginError
from dmf_cli.parts import decorators, given, plugins, project
from dmf_cli.parts.kinds import KINDS
from dmf_cli.terminal.run_display import Display

LOSS_KEYS = {"name", "expression", "terms", "coefficients"}  # of the group, in a mapping that is no terms
# How to give two objects of a kind names of their own.
DIFFERENT = {
    "loss": "name them, as loss=[{'first': f}, {'second': g}]",
    "model": "give one of them another __name__, or build it with name='other'",
}
Settings = Mapping[str, Any]


def named(settings: Settings) -> dict[str, Any]:
    """``settings`` with a name for each object in them; what a notebook has decorated is known by its name.

    Raises:
        ConfigError: an object that cannot stand there, or two that differ and have one name.
        PluginError: its name is taken.
    """
    plugins.begin()
    known()
    _know_modules()
    made, names = dict(settings), _Names()
    for group, name_of in (("loss", _loss), ("model", _model), ("weighting", _strategy)):
        if group in made:
            value = made[group]
            several = isinstance(value, list)
            made[group] = [name_of(one, names) for one in value] if several else name_of(value, names)
    if "dataset" in made:
        made = _with_data(made, names)
    return {**made, **_head(settings.get("model"), made)}


def own_words(files: str | Path | Sequence[str | Path], config_dir: str | Path | None) -> list[str]:
    """The words for plugins and a folder of YAML, those of the project (``dmf.toml``) too.

    Raises:
        UsageError: one of them is not there or cannot be used.
    """
    settings, listed = project.read(), [files] if isinstance(files, str | Path) else files
    used = plugins.activate(settings.plugins, settings.file.parent) if settings.file else []
    used += plugins.activate(map(str, listed))
    places = list(dict.fromkeys(one.name if one.is_module else str(one.file) for one in used))
    found = words.of({"plugins": places}) if places else []
    return [*found, *conf_files.own_configs(config_dir or settings.config_dir)]


def refuse(settings: Settings, why: str) -> None:
    """Raise ``ConfigError`` for an object in ``settings``, where only names can be; ``why`` says so."""
    for group in ("loss", "model", "weighting", "dataset"):
        values = settings.get(group)
        for value in values if isinstance(values, list) else [values]:
            inner = list(value.values()) if isinstance(value, Mapping) else [value]
            if any(callable(one) or own_data.is_data(one) for one in inner):
                hint = "write it in a file, and give plugins=['my.py']"
                raise ConfigError(f"{group} is an object, and {why}", key=group, value=value, hint=hint)


def announce(config: Config) -> None:
    """One line if ``config`` cannot be rebuilt from its file."""
    if used := of_process(config):
        parts = " and ".join(config.plugins[name]["path"].strip("<>") for name in used)
        Display().note(f"note: {parts}: in no file, so that only this process can resume or extend the run")


def of_process(config: Config) -> list[str]:
    """The names of the objects that ``config`` uses."""
    return [name for name in config.plugins if given.is_given(name)]


def known() -> None:
    """Make objects known as they are now: those given before, and what a cell or a script has decorated."""
    given.refresh()
    for kind, name, part in _decorated():
        if _is_in_no_module(part):
            rehash = functools.partial(object_hash.of, part)
            given.put(kind, name, part, rehash(), rehash)


def _know_modules() -> None:
    """Parts of the modules that a cell or a script has imported."""
    for kind, name, part in _decorated():
        if not _is_in_no_module(part) and all(one.name != name for one in plugins.definitions(kind)):
            try:
                plugins.activate([part.__module__])
            except PluginError:  # it makes its parts in another way than a file does
                rehash = functools.partial(object_hash.of, part)
                given.put(kind, name, part, rehash(), rehash)


def _decorated() -> list[tuple[str, str, Any]]:
    """Kind, name and part of what carries a decorator, and is neither of dmf nor of a plugin nor given."""
    of_files = ("dmf_cli.", plugins.PREFIX)
    return [
        (kind, name, part)
        for (kind, name), part in decorators.registered.items()
        if not part.__module__.startswith(of_files) and not given.holds(kind, name, part)
    ]


def _is_in_no_module(part: Any) -> bool:
    return part.__module__ == "__main__" or decorators.file_of(part) is None


class _Names:
    """The names of objects in one call: each may stand for one only."""

    def __init__(self) -> None:
        self._contents: dict[tuple[str, str], str] = {}

    def put(self, kind: str, name: str, part: Callable[..., Any], content: str | Callable[[], str]) -> str:
        """Make ``part`` known by ``name``, which is given back; see :func:`dmf_cli.parts.given.put`."""
        if not name.isidentifier():
            raise PluginError(key=kind, value=name, reason="is no name", allowed="letters, digits and _")
        rehash = None if isinstance(content, str) else content
        now = content if isinstance(content, str) else content()
        if self._contents.setdefault((kind, name), now) != now:
            raise ConfigError(
                f"two different objects for {KINDS[kind].group} are called {name!r}",
                key=KINDS[kind].group,
                value=name,
                hint=DIFFERENT.get(kind, "give one of them another __name__"),
            )
        given.put(kind, name, part, now, rehash)
        return name

    def code(self, kind: str, name: str, value: Callable[..., Any]) -> str:
        """The same for what is called, whose code decides."""
        return self.put(kind, name, _function(value), functools.partial(object_hash.of, value))


def _loss(value: Any, names: _Names) -> Any:
    if callable(value):
        return names.code("loss", _name(value, "own_loss"), value)
    if not isinstance(value, Mapping) or set(value) <= LOSS_KEYS:
        return value
    for term, one in value.items():
        if callable(one):
            names.code("loss", term, one)
        elif one != term:
            allowed = f"a function, or the term by its own name, as {{'{one}': '{one}'}}"
            raise ConfigError(key=f"loss[{term!r}]", value=one, allowed=allowed)
    return "+".join(value)


def _model(value: Any, names: _Names) -> Any:
    if isinstance(value, Mapping):
        return {**value, "name": _model(value["name"], names)} if "name" in value else value
    if not callable(value):
        return value
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(value, keras.Model):
        if not isinstance(getattr(value, "input_shape", None), tuple):
            hint = "give a function (input_shape, classes) that builds it"
            raise ConfigError(key="model", value=value.name, reason="whose inputs are not known", hint=hint)
        name = value.name if value.name.isidentifier() else "own_model"
        return names.put("model", name, _copies(value), object_hash.of(value))
    return names.code("model", _name(value, "own_model"), value)


def _head(model: Any, settings: Settings) -> dict[str, Any]:
    """The head that a Keras model with one channel has; nothing where the user says it."""
    group = model if isinstance(model, Mapping) else {"name": model}
    one = isinstance(shape := getattr(group.get("name"), "output_shape", None), tuple) and shape[-1] == 1
    return {"model.head": "sigmoid"} if one and "head" not in group and "model.head" not in settings else {}


def _strategy(value: Any, names: _Names) -> Any:
    if isinstance(value, Mapping):
        return {**value, "name": _strategy(value["name"], names)} if "name" in value else value
    return names.code("strategy", value.__name__, value) if isinstance(value, type) else value


def _with_data(settings: dict[str, Any], names: _Names) -> dict[str, Any]:
    """``settings`` with a dataset that is arrays or a function as a group, and what follows from arrays."""
    value = settings["dataset"]
    keys = dict(value) if isinstance(value, Mapping) else {}
    data = keys.pop("name", None) if isinstance(value, Mapping) else value
    if own_data.is_data(data):
        pairs = own_data.pairs(data)
        if keys.get("range", settings.get("dataset.range")) is None:
            pairs.check_values()
        name = names.put("dataset", "arrays", pairs, pairs.content)
        follows = {key: one for key, one in pairs.settings.items() if f"dataset.{key}" not in settings}
        return {**settings, "dataset": {"name": name, **follows, **keys}}
    if callable(data):
        keys["name"] = names.code("dataset", _name(data, "own_dataset"), data)
        return {**settings, "dataset": keys}
    return settings


def _name(value: Any, otherwise: str) -> str:
    name = str(getattr(value, "__name__", ""))
    return name if name.isidentifier() else otherwise


def _function(value: Callable[..., Any]) -> Callable[..., Any]:
    """A function of its own for what is one only by its call, such as a ``keras.losses.Loss``."""
    if isinstance(value, type) or hasattr(value, "__code__"):
        return value

    @functools.wraps(value, updated=())
    def call(*values: Any, **options: Any) -> Any:
        return value(*values, **options)

    return call


def _copies(model: Any) -> Callable[..., Any]:
    """What builds copies of ``model`` with the weights that it has now."""
    weights = model.get_weights()

    def build(input_shape: tuple[int, int, int], classes: int) -> Any:
        """A copy of the Keras model that was given."""
        import keras

        _check_shapes(model, input_shape, classes)
        copy = keras.models.clone_model(model)
        copy.set_weights(weights)
        return copy

    return build


def _check_shapes(model: Any, input_shape: tuple[int, int, int], classes: int) -> None:
    takes, gives = tuple(model.input_shape[1:]), model.output_shape[-1]
    if len(takes) != 3 or any(a not in (None, b) for a, b in zip(takes, input_shape, strict=True)):
        raise ConfigError(
            f"the model {model.name!r} takes images {takes}, and the dataset gives {input_shape}",
            key="model",
            hint=f"set dataset.image_size and dataset.channels, or build it for {input_shape}",
        )
    if gives != classes:
        raise ConfigError(
            f"the model {model.name!r} gives {gives} channel(s), and {classes} are wanted",
            key="model",
            hint="end it with as many as there are classes, or one and model.head=sigmoid",
        )
