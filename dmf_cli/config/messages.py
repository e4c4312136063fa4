"""Hydra's and OmegaConf's exceptions in one line, with the closest match.

Hydra's messages run over several lines, list its search path, or are raw tracebacks under ``--help`` and
``--cfg``. This is the one place that knows how they are worded (hydra-core 1.3).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hydra.errors import (
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from dmf_cli import conf_files, expression, hints
from dmf_cli.config import keys, meant, own_metrics, schema
from dmf_cli.config.types import missing_key, unknown_key
from dmf_cli.errors import ConfigError, UnknownNameError

# What may go wrong while a config is composed; anything else is a defect of ours and keeps its traceback.
COMPOSE_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError, AssertionError, OSError)


# What people type first -> the key, or the end of it.
SPOKEN = {
    "epoch": "trainer.epochs",
    "num_epochs": "trainer.epochs",
    "max_epochs": "trainer.epochs",
    "n_epochs": "trainer.epochs",
    "batch": "trainer.batch_size",
    "bs": "trainer.batch_size",
    "batchsize": "trainer.batch_size",
    "lr": "optimizer.learning_rate",
    "learningrate": "optimizer.learning_rate",
    "rate": "optimizer.learning_rate",
    "wd": "optimizer.weight_decay",
    "gpu": "trainer.device",
    "gpus": "trainer.device",
    "cuda": "trainer.device",
    "dtype": "trainer.precision",
    "amp": "trainer.precision",
    "early_stopping": "trainer.patience",
    "workers": "sweep.workers",
    "jobs": "sweep.workers",
    "data": "dataset.dir",
    "data_path": "dataset.dir",
    "path": "dataset.dir",
    "root": "dataset.dir",
    "size": "dataset.image_size",
    "img_size": "dataset.image_size",
    "imgsz": "dataset.image_size",
    "input_size": "dataset.image_size",
    "resolution": "eval.resolution",
    "num_classes": "dataset.classes",
    "label": "dataset.classes",
    "k": "split.folds",
    "kfold": "split.folds",
    "output": "run_dir",
    "out": "run_dir",
    "output_dir": "run_dir",
    "save_dir": "run_dir",
    "name": "run_dir",
    "random_seed": "seed",
}


def explain(error: Exception, overrides: Sequence[str], config: Any = None) -> ConfigError:
    """``error`` as a ``ConfigError`` of one line.

    Args:
        error: what Hydra or OmegaConf raised while composing.
        overrides: the command line's.
        config: the config without its overrides of keys, if it can be composed; for the closest key.
    """
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, OverrideParseException):
        return _malformed(error.override)
    if isinstance(error, MissingConfigException):
        return _missing_option(error)
    empty = [override for override in overrides if override.startswith("=")]
    if empty:
        return ConfigError(f"{empty[0]!r} has no key", hint="write KEY=VALUE")
    if isinstance(error, MissingMandatoryValue):
        key = str(error.full_key or error.key or "a key")
        return missing_key(key)
    text = str(error) or str(error.__cause__ or "")
    unknown = re.match(r"(?:In '[^']*': )?Could not override '([^']+)'", text)
    if unknown and not unknown[1].startswith("hydra."):
        return _elsewhere(unknown[1], overrides, config) or no_such_key(unknown[1], config)
    where = getattr(error, "full_key", None) or "a value"
    if "HydraConfig was not set" in text:
        instead = "use keys of the config, ${now:%H-%M-%S} or ${oc.env:NAME}"
        return ConfigError(
            key=where,
            reason="refers to ${hydra:...}, which only Hydra's own sweepers know",
            hint=instead,
        )
    unset = re.search(r"Environment variable '([^']+)' not found", text)
    if unset:
        return ConfigError(
            key=where,
            reason=f"refers to the environment variable {unset[1]}, which is not set",
            hint=f"set it, or write a default, as ${{oc.env:{unset[1]},VALUE}}",
        )
    lost = re.search(r"Interpolation key '([^']+)' not found", text)
    if lost:
        return ConfigError(
            key=where,
            reason=f"refers to ${{{lost[1]}}}",
            hint=f"key {lost[1]!r} not found; write the whole name of another key, as ${{trainer.epochs}}",
        )
    if "Ambiguous value" in text or "requires --multirun" in text:
        found = re.search(r"'([^']+=[^\n]*?)'", text)
        return ConfigError(
            f"{found[1] if found else 'a comma'} is a sweep", hint="add -m to run one job per value"
        )
    if "Config group override" in text:
        return _no_option(overrides)
    return ConfigError(_one_line(error))


def _elsewhere(key: str, overrides: Sequence[str], config: Any) -> ConfigError | None:
    """The error for a key that the chosen option of its group lacks and others have; None if none has it."""
    group = key.partition(".")[0]
    if group not in (*schema.NAMED, *schema.FREE) or group == "loss":
        return None
    having = [option for option in conf_files.options(group) if key in keys.meanings({group: option})]
    if not having:
        return None
    typed = [word.lstrip("+") for word in overrides if word.lstrip("+").startswith(f"{group}=")]
    chosen = typed[-1] if typed else f"{group}={config[group]['name']}" if config else f"this {group}"
    return ConfigError(
        f"unknown key {key!r}",
        key=key,
        hint=(f"{chosen} has no such key; leave it out, or use one that has it: {group}={', '.join(having)}"),
    )


def no_such_key(key: str, config: Any) -> ConfigError:
    """The closest sibling where the path breaks; for its first part also the groups."""
    parent, prefix, part = config or {}, "", ""
    for part in key.split("."):
        if not hasattr(parent, "keys"):
            return ConfigError(
                f"unknown key {key!r}", key=key, hint=f"{prefix.rstrip('.')} is a value and has no keys"
            )
        if part not in list(parent.keys()):
            break
        prefix, parent = f"{prefix}{part}.", parent[part]
    if prefix in ("loss.terms.", "loss.coefficients.") and part in conf_files.terms():
        known = "+".join(str(name) for name in parent)
        return ConfigError(
            f"unknown key {key!r}",
            key=key,
            hint=f"loss={known} has no {part!r}; add it, as loss={known}+{part}",
        )
    if prefix == "auxiliary.params." and not parent:
        return ConfigError(
            f"unknown key {key!r}", key=key, hint="auxiliary=none has no parameters; choose auxiliary=TERM"
        )
    if prefix in ("metrics.", "metrics.own.") and own_metrics.is_own(key):
        hint = f"choose the metric, as metrics=default+{key.split('.')[2]}"
        return ConfigError(f"unknown key {key!r}", key=key, hint=hint)
    rest = key.removeprefix(prefix)
    whole = [] if prefix else meant.whole_keys(key, SPOKEN.get(key.lower().replace("-", "_")), config)
    if whole:
        return ConfigError(f"unknown key {key!r}", key=key, hint=f"did you mean {' or '.join(whole)}?")
    return unknown_key(
        prefix, rest, [*(str(name) for name in parent), *([] if prefix else conf_files.groups())]
    )


def _missing_option(error: MissingConfigException) -> ConfigError:
    """``model=unett``, ``loss=dcie+bce``, or a config file that is not there."""
    path = error.missing_cfg_file or ""
    group, _, name = path.rpartition("/")
    if path.startswith("loss/"):
        group, name = "loss", path.removeprefix("loss/")  # dice:1/3 has a slash too
        try:
            expression.parse(name, conf_files.terms())
        except ConfigError as wrong:
            return wrong
    if group == own_metrics.GROUP:
        try:
            own_metrics.parse(name)
        except ConfigError as wrong:
            return wrong
    above = path.partition("/")[0]
    if above in conf_files.groups() and above not in (group, own_metrics.GROUP):  # a path as a name
        name, hint = path.removeprefix(f"{above}/"), ""
        if above == "dataset":
            hint = f"a folder of images is dataset=folder dataset.dir={name}"
        return UnknownNameError(f"option {above}", name, conf_files.options(above), hint)
    plugin = conf_files.LAUNCHERS.get(name) if group == "hydra/launcher" else None
    if plugin:
        return ConfigError(f"hydra/launcher={name} is not installed", hint=hints.install(plugin))
    if group and error.options is not None:
        return UnknownNameError(f"option {group}", name, _ordered(error.options))
    return ConfigError(_one_line(error))


def _malformed(override: str) -> ConfigError:
    """An argument that is not KEY=VALUE, or a value that Hydra's grammar cannot read."""
    key, equals, value = override.partition("=")
    if not equals:
        groups = [group for group in reversed(conf_files.groups()) if key in conf_files.options(group)]
        hint = f"did you mean {groups[0]}={key}?" if groups else _written(key)
        return ConfigError(f"{override!r} is not KEY=VALUE", hint=hint)
    if _stray_comma(value) and not _unclosed(value):
        kept = ",".join(part for part in value.split(",") if part.strip())
        return ConfigError(
            f"{override!r} has a comma with no value beside it",
            hint=f"write {key}={kept} (commas separate the values of a sweep)",
        )
    if key == "loss":
        try:
            expression.parse(value, conf_files.terms())
        except ConfigError as wrong:
            return wrong
    missing = _unclosed(value)
    if missing:
        hint = "if its value has spaces, put the whole in quotes, as 'KEY=[64, 48]'"
        return ConfigError(f"{override!r} lacks a {missing}", hint=hint)
    typed = re.sub(r"['\"]?#([0-9a-fA-F]{6})\b['\"]?", r"0x\1", value)
    if typed != value:
        return ConfigError(
            f"cannot read the value of {override!r}",
            hint=f"# means nothing here; write colours as '{key}={typed}'",
        )
    return ConfigError(f"cannot read the value of {override!r}", hint=f"quote it, as '{key}=\"{value}\"'")


def _written(word: str) -> str:
    """What to write instead of a word without =: a folder, or what spaces cut off an override."""
    if "/" in word:
        return f"a folder of images is dataset=folder dataset.dir={word}"
    if re.match("[A-Za-z_]", word) is None:
        return "write KEY=VALUE without spaces, or in quotes"
    return f"write {word}=VALUE"


def _unclosed(value: str) -> str:
    """The bracket that a value without quotes lacks, as when the shell cut it at a space; else nothing."""
    if set(value) & set("\"'"):
        return ""
    pairs = ((left, right, value.count(left) - value.count(right)) for left, right in ("()", "[]", "{}"))
    return next((right if lacks > 0 else left for left, right, lacks in pairs if lacks), "")


def _stray_comma(value: str) -> bool:
    """A comma at an end, or two in a row, outside of quotes."""
    if set(value) & set("\"'"):
        return False
    parts = [part.strip() for part in value.split(",")]
    return len(parts) > 1 and any(parts) and not all(parts)


def _no_option(overrides: Sequence[str]) -> ConfigError:
    """A group that got a number, null or something else that names no file."""
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if key in conf_files.groups() and value not in conf_files.options(key):
            return ConfigError(
                f"{override} names no option of the group {key}",
                key=key,
                value=value,
                allowed=conf_files.options(key),
            )
    return ConfigError(
        "a config group got a value that is not the name of an option", hint="write GROUP=NAME"
    )


def _one_line(error: BaseException) -> str:
    """The first lines of an error that say something, and what caused it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [
        line
        for line in lines
        if not re.match(r"(full_key|object_type|reference_type|See https|Search path)", line)
    ]
    key = getattr(error, "full_key", None)
    if kept and key and str(key) not in kept[0]:
        kept[0] = f"{key}: {kept[0]}"
    if error.__cause__ is not None:
        kept.append(_one_line(error.__cause__))
    if isinstance(error, YAMLError):
        return "not valid YAML: " + ", ".join(kept)
    return ": ".join(line.rstrip(".:") for line in kept[:2]) or type(error).__name__


def _ordered(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
