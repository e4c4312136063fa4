"""Is a composed config right? Asked before anything slow is imported or written.

``validate`` compares each group with its dataclass or the signature of its function, without Keras, and then
looks at what depends on several keys. ``check_params`` is for parameters that no ``validate`` has seen.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from dmf_cli import conf_files, expression, lookup
from dmf_cli.config import dataset_schema, fields, inputs, lengths, literal, own_metrics, schema
from dmf_cli.config.typed import Config
from dmf_cli.config.types import check_value, check_values, missing_key
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.parts import registry
from dmf_cli.parts.kinds import KINDS
from dmf_cli.ranges import ENCODERS

Plain = dict[str, Any]
MIN_SIDE = 8  # pixels; a smaller image shows nothing
RULES = ("empty", "missed")  # keys for which Hydra reads the word nan as a number


def check_params(function: Callable[..., Any], params: Mapping[str, Any], where: str) -> None:
    """Hold ``params`` against the keyword-only parameters of ``function``, which are their schema.

    Args:
        function: a loss, a strategy or a model; its annotations are the schema.
        params: what the config gives.
        where: the key of the group, such as ``loss.terms.cbdice``.

    Raises:
        ConfigError: for an unknown key (closest match), a wrong type or a bad choice.
    """
    hints = {name: parameter.annotation for name, parameter in lookup.keywords(function).items()}
    check_values(params, hints, f"{where}.")


def validate(config: Mapping[str, Any], *, stored: bool = False) -> Config:
    """``config`` with its loss expression and ``metrics.empty`` made canonical, or a one-line error.

    Args:
        config: as composed.
        stored: it is of a run that is trained already, and is not refused for what a new one is advised
            against.

    Raises:
        ConfigError: for the first thing that is wrong.
    """
    literal.check(config)
    checked: Plain = {key: _plain(value) for key, value in config.items()}
    _check_top(checked)
    for group, kind in schema.PLAIN.items():
        check_values(checked[group], fields.of_class(kind), f"{group}.", complete=True)
    for group, kinds in schema.NAMED.items():
        values = {key: value for key, value in checked[group].items() if key != "name"}
        kind = _kind(kinds, checked[group], group)
        needed = {k: v for k, v in fields.of_class(kind).items() if k in values or k in schema.needed(kind)}
        check_values(values, needed, f"{group}.", complete=True)
    own_metrics.check(checked["metrics"].get("own", {}))
    _check_split(checked["split"])
    checked["loss"] = _checked_loss(checked["loss"])
    _check_monitor(checked["trainer"]["monitor"], checked["loss"]["terms"])
    _check_auxiliary(checked["auxiliary"])
    for group in ("model", "weighting", "augment"):
        _check_free(checked[group], group)
    _check_bending(checked["augment"])
    _check_dataset(checked["dataset"])
    _check_encoder(checked["model"])
    if not stored:
        _check_pretrained(checked["model"], checked["dataset"]["normalize"])
        _check_lowest_rate(checked["schedule"], checked["optimizer"])
        _check_sides(checked["dataset"])
    _check_foreground(checked["trainer"].get("foreground", 0.0), checked["dataset"])
    if not checked.get("plugins"):
        checked.pop("plugins", None)  # where none is used, a config has no such key
    made = Config(checked)
    lengths.check(made)
    return made


def _check_top(config: Plain) -> None:
    """All groups are there, nothing else is, and the keys beside them are right."""
    groups = [*schema.PLAIN, *schema.NAMED, *schema.FREE]
    root = {
        **dict.fromkeys(schema.OPTIONAL),
        **{key: value for key, value in config.items() if key not in groups},
    }
    check_values(root, fields.of_class(schema.Root), "", complete=True, others=groups)
    for group in groups:
        if group not in config:
            raise ConfigError(
                key=group,
                reason="is missing",
                hint=f"a group cannot be removed, change its keys, as {group}.KEY=VALUE",
            )
        if not isinstance(config[group], dict):
            raise ConfigError(
                key=group,
                value=config[group],
                hint=f"it is a group, give its keys as {group}.KEY=VALUE",
            )


def _kind(kinds: Mapping[str, type], values: Plain, group: str) -> type:
    name = values.get("name")
    if not isinstance(name, str) or name not in kinds:
        raise UnknownNameError(f"{group}.name", str(name), kinds)
    return kinds[name]


def _check_split(split: Plain) -> None:
    total = sum(split["fractions"])
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise ConfigError(
            key="split.fractions",
            value=split["fractions"],
            reason=f"which sums to {total:g}",
            hint="they must sum to 1",
        )
    folds, fold = split["folds"], split["fold"]
    if folds is None and fold:
        raise ConfigError(
            key="split.fold", value=fold, reason="and split.folds is null", allowed="the number of folds too"
        )
    if folds is not None and fold >= folds:
        raise ConfigError(
            key="split.fold", value=fold, reason=f"and split.folds is {folds}", hint=f"use 0 to {folds - 1}"
        )
    if folds is not None and split["file"] is not None:
        raise ConfigError(
            key="split.folds",
            value=folds,
            reason=f"and split.file is {split['file']}, a division already",
            hint="set one of them",
        )


def _checked_loss(loss: Plain) -> Plain:
    """The loss group with the expression that its coefficients now say: an override may have changed them."""
    terms, coefficients, text = loss.get("terms"), loss.get("coefficients"), str(loss.get("expression"))
    if not isinstance(terms, dict) or not isinstance(coefficients, dict) or not terms:
        raise ConfigError("the loss has no terms", key="loss", hint="write loss=cbdice+bce")
    said = expression.parse(text, conf_files.terms()).terms
    if list(terms) != list(coefficients) or set(terms) != set(said):
        raise ConfigError(
            f"loss.expression says {text}, loss.terms has {', '.join(terms)} and "
            f"loss.coefficients {', '.join(coefficients)}",
            key="loss",
            value=text,
            hint=f"change the terms by one expression, loss={'+'.join(terms)}",
        )
    for name, params in terms.items():
        _check_term(name, params, f"loss.terms.{name}")
    built = expression.build(coefficients)
    for name, value in built.coefficients.items():
        check_value(value, schema.Coefficient, f"loss.coefficients.{name}")
    return {**loss, "expression": str(built), "coefficients": dict(built.coefficients)}


def _check_auxiliary(auxiliary: Plain) -> None:
    if auxiliary["name"] != "none":
        _check_term(auxiliary["name"], auxiliary["params"], "auxiliary.params")


def _check_bending(augment: Plain) -> None:
    """Neighbouring places must never swap: the slope of the displacement stays below 1 along any line."""
    cells, bend = augment.get("elastic_cells", 1), augment.get("elastic", 0.0)
    if 4 * bend * cells >= 1:
        raise ConfigError(
            key="augment.elastic",
            value=bend,
            reason=f"with {cells} cells, which would fold the image",
            allowed=f"less than {1 / (4 * cells):.4g} (1 / (4 augment.elastic_cells))",
        )


def _check_encoder(model: Plain) -> None:
    """The encoder is one that there is."""
    encoder = model.get("encoder", ENCODERS[0]) if model["name"] == "unet_encoder" else ENCODERS[0]
    if encoder.lower() not in map(str.lower, ENCODERS):
        raise UnknownNameError("model.encoder", encoder, ENCODERS)


def _check_pretrained(model: Plain, normalize: str) -> None:
    """Published weights get images in [0, 1], which ``unit`` and ``minmax`` give."""
    if model["name"] in ("hub", "unet_encoder") and model.get("pretrained") and normalize == "zscore":
        reason = "and the weights of model.pretrained=true expect images in [0, 1]"
        hint = "use dataset.normalize=unit, dataset.normalize=minmax or model.pretrained=false"
        raise ConfigError(key="dataset.normalize", value=normalize, reason=reason, hint=hint)


def _check_lowest_rate(schedule: Plain, optimizer: Plain) -> None:
    """A rate that goes down ends below the one that it starts from."""
    lowest, rate = schedule.get("min_lr", 0.0), optimizer["learning_rate"]
    if lowest > rate:
        reason = f"and optimizer.learning_rate is {rate}"
        raise ConfigError(key="schedule.min_lr", value=lowest, reason=reason, allowed=f"{rate} at most")


def _check_sides(dataset: Plain) -> None:
    """What the network sees is large enough to show something."""
    for key in ("image_size", "patch"):
        given = dataset.get(key)
        if given is not None and given != "???" and min(inputs.as_size(given, f"dataset.{key}")) < MIN_SIDE:
            allowed = f"sides of {MIN_SIDE} pixels or more"
            raise ConfigError(key=f"dataset.{key}", value=given, allowed=allowed)


def _check_term(name: str, params: Plain, where: str) -> None:
    if name not in conf_files.terms():
        raise UnknownNameError("loss term", name, conf_files.terms())
    if not isinstance(params, dict):
        raise ConfigError(key=where, value=params, allowed=f"its keys, as {where}.KEY=VALUE")
    check_values(params, fields.of_term(name), f"{where}.")


def _check_free(values: Plain, group: str) -> None:
    """A group with the name of a function and its parameters."""
    name = str(values.get("name"))
    functions = registry.names(next(kind for kind, one in KINDS.items() if one.group == group))
    if name not in (allowed := [*functions, *(["none"] if group == "augment" else [])]):
        raise UnknownNameError(f"{group}.name", name, allowed)
    check_values(values, fields.of_option(group, name), f"{group}.")


def _check_dataset(values: Plain) -> None:
    """Datasets of the user have the keys of their kind, and may have more."""
    given = {key: value for key, value in values.items() if value != "???"}  # --cfg shows what is to be given
    if "classes" in given:
        inputs.check_classes(given["classes"])
    if "image_size" in given:
        inputs.as_size(given["image_size"])
    if "image_size" in given and given.get("patch") is not None:
        inputs.check_patch(given["patch"], given["image_size"])
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in dataset_schema.DATASETS:
        raise UnknownNameError("dataset.kind", str(kind), dataset_schema.DATASETS)
    for key in schema.needed(dataset_schema.Dataset):
        if key not in values:
            raise missing_key(f"dataset.{key}")
    hints = fields.of_dataset(kind, "download" in given, str(given.get("name")))
    inputs.check_mappings(given if kind != "own" else inputs.shared(given))
    if given.get("name") not in conf_files.options("dataset"):
        given = {key: value for key, value in given.items() if key in hints}
    check_values(given, hints, "dataset.")


def _check_foreground(share: float, dataset: Plain) -> None:
    """It chooses patches, and a whole image holds its foreground anyhow."""
    if share and dataset.get("patch") is None:
        raise ConfigError(
            key="trainer.foreground",
            value=share,
            reason="and dataset.patch is null: the network sees whole images",
            hint="set dataset.patch too, or leave trainer.foreground at 0",
        )


def _check_monitor(monitor: str, terms: Plain) -> None:
    """It must be comparable over epochs, which the moving total loss is not."""
    figures = ("val_foreground_dice", "val_mean_dice", "val_objective")
    allowed = ["auto", *figures, *(f"val_loss.{term}" for term in terms)]
    if monitor not in allowed:
        raise UnknownNameError("trainer.monitor", monitor, allowed)


def _plain(value: Any) -> Any:
    """Copies, so that checking never changes what was passed; Hydra reads an unquoted ``nan`` as a float."""
    if isinstance(value, Mapping):
        return {str(k): "nan" if k in RULES and v != v else _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
