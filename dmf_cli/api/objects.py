"""Objects where a name stands: a function, a Keras model or a pair of arrays becomes a part of this process.

They are registered by a name, which the config has as any other (:mod:`dmf_cli.parts.given`): the run and its
report say what it is called, and a hash of it is part of the run's id.
"""

import contextlib
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import conf_files
from dmf_cli.api import own_data, words
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, PluginError
from dmf_cli.parts import decorators, given, plugins, project
from dmf_cli.terminal.run_display import Display

LOSS_KEYS = {"name", "expression", "terms", "coefficients"}  # of the group, in a mapping that is no terms
Settings = Mapping[str, Any]


def named(settings: Settings) -> dict[str, Any]:
    """``settings`` with a name for each object in them; what a notebook has decorated is known by its name.

    Raises:
        ConfigError: an object that cannot stand there.
        PluginError: its name is taken.
    """
    _know_decorated()
    made = dict(settings)
    for group, name_of in (("loss", _loss), ("model", _model), ("weighting", _strategy)):
        if group in made:
            value = made[group]
            made[group] = list(map(name_of, value)) if isinstance(value, list) else name_of(value)
    if "dataset" in made:
        made = _with_data(made)
    model = made.get("model")
    if given.find("model", model) and "model.head" not in made:
        made |= {"model.head": "sigmoid"} if getattr(settings["model"], "output_shape", (2,))[-1] == 1 else {}
    return made


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


def _know_decorated() -> None:
    """Parts that a cell or a script has decorated, and those of modules that it has imported."""
    for (kind, name), part in list(decorators.registered.items()):
        module = part.__module__
        if module.startswith(("dmf_cli.", plugins.PREFIX)) or given.holds(kind, name, part):
            continue
        if module != "__main__" and decorators.file_of(part) is not None:
            if any(one.name == name for one in plugins.definitions(kind)):
                continue
            with contextlib.suppress(PluginError):  # it makes its parts in another way than a file does
                plugins.activate([module])
                continue
        given.put(kind, name, part, given.source(part))


def _loss(value: Any) -> Any:
    if callable(value):
        return _put("loss", _name(value, "own_loss"), _function(value), given.source(value))
    if not isinstance(value, Mapping) or set(value) <= LOSS_KEYS:
        return value
    for term, one in value.items():
        if callable(one):
            _put("loss", term, _function(one), given.source(one))
        elif one != term:
            hint = f"{{'{one}': '{one}'}}, or a function"
            raise ConfigError(
                key=f"loss[{term!r}]", value=one, allowed=f"the term by its own name, as {hint}"
            )
    return "+".join(value)


def _model(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {**value, "name": _model(value["name"])} if "name" in value else value
    if not callable(value):
        return value
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(value, keras.Model):
        name = value.name if value.name.isidentifier() else "own_model"
        return _put("model", name, _copies(value), given.weights(value))
    return _put("model", _name(value, "own_model"), _function(value), given.source(value))


def _strategy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {**value, "name": _strategy(value["name"])} if "name" in value else value
    return _put("strategy", value.__name__, value, given.source(value)) if isinstance(value, type) else value


def _with_data(settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` with a dataset that is arrays or a function as a group, and what follows from arrays."""
    value = settings["dataset"]
    keys = dict(value) if isinstance(value, Mapping) else {}
    data = keys.pop("name", None) if isinstance(value, Mapping) else value
    if own_data.is_data(data):
        pairs = own_data.pairs(data)
        name, known = _put("dataset", "arrays", pairs, pairs.content), pairs.settings
        known = {key: one for key, one in known.items() if f"dataset.{key}" not in settings}
        return {**settings, "dataset": {"name": name, **known, **keys}}
    if callable(data):
        keys["name"] = _put("dataset", _name(data, "own_dataset"), _function(data), given.source(data))
        return {**settings, "dataset": keys}
    return settings


def _put(kind: str, name: str, part: Callable[..., Any], content: str) -> str:
    if not name.isidentifier():
        raise PluginError(key=kind, value=name, reason="is no name", allowed="letters, digits and _")
    given.put(kind, name, part, content)
    return name


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
        """A Keras model that was given as it is."""
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
