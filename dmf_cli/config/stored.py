"""The config of a run that is trained: is each value of the kind that its key has?

Ranges do not matter, nor does a key that this version no longer knows: a run of an earlier version stays
readable. Parts of the user's own are not looked at, since their plugins are not known yet.
"""

from collections.abc import Mapping
from typing import Any

from dmf_cli.config import dataset_schema, fields, inputs, schema
from dmf_cli.config.types import check_value, check_values
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.parts.definitions import of_package

Plain = Mapping[str, Any]
_PARTS = {"model": "model", "weighting": "strategy", "augment": "augmentation"}  # group -> kind of part


def check(config: Plain) -> None:
    """Whether the values of ``config``, which has all its groups, are of the right kinds.

    Raises:
        ConfigError: for the first one that is not.
    """
    _check(config, fields.of_class(schema.Root), "")
    _check_plugins(config.get("plugins") or {})
    for group, kind in schema.PLAIN.items():
        _check(_group(config, group), fields.of_class(kind), group)
    for group, kinds in schema.NAMED.items():
        values = _group(config, group)
        name = values.get("name", "default" if group == "metrics" else "none")
        if not isinstance(name, str) or name not in kinds:
            raise UnknownNameError(f"{group}.name", str(name), kinds)
        _check(values, fields.of_class(kinds[name]), group)
    for group in _PARTS:
        _check_part(group, _group(config, group))
    _check_loss(_group(config, "loss"))
    _check_dataset(_group(config, "dataset"))


def _group(config: Plain, group: str) -> Plain:
    """Empty where a run of an earlier version has no such group."""
    values = config.get(group, {})
    if not isinstance(values, Mapping):
        raise ConfigError(key=group, value=values, hint="it is a group of keys")
    return values


def _check(values: Plain, hints: Plain, group: str) -> None:
    known = {key: value for key, value in values.items() if key in hints}
    check_values(known, hints, f"{group}." if group else "", ranges=False)


def _check_plugins(plugins: Any) -> None:
    """A mapping of names to texts: the path of each, its hash and its files' names."""
    whole = isinstance(plugins, Mapping) and all(
        isinstance(name, str) and isinstance(one, Mapping) and isinstance(one.get("hash"), str)
        for name, one in plugins.items()
    )
    if not whole:
        raise ConfigError(key="plugins", value=plugins, allowed="a hash of each, as {NAME: {hash: ...}}")


def _check_part(group: str, values: Plain) -> None:
    name = values.get("name")
    check_value(name, str, f"{group}.name")
    if name in of_package(_PARTS[group]):
        _check(values, fields.of_option(group, str(name)), group)
    elif group == "model":
        _check(values, fields.of_class(schema.Model), group)


def _check_loss(loss: Plain) -> None:
    check_value(loss["expression"], str, "loss.expression")
    terms, coefficients = _group(loss, "terms"), _group(loss, "coefficients")
    if not terms or list(terms) != list(coefficients):
        raise ConfigError(
            f"loss.terms has {', '.join(map(str, terms)) or 'nothing'} and loss.coefficients "
            f"{', '.join(map(str, coefficients)) or 'nothing'}",
            key="loss",
            hint="they name the same terms, at least one",
        )
    for name, params in terms.items():
        if not isinstance(params, Mapping):
            raise ConfigError(key=f"loss.terms.{name}", value=params, hint="it is a group of keys")
        if name in of_package("loss"):
            _check(params, fields.of_term(name), f"loss.terms.{name}")
    _check(coefficients, dict.fromkeys(coefficients, float), "loss.coefficients")


def _check_dataset(dataset: Plain) -> None:
    kind = dataset.get("kind")
    if not isinstance(kind, str) or kind not in dataset_schema.DATASETS:
        raise UnknownNameError("dataset.kind", str(kind), dataset_schema.DATASETS)
    _check(dataset, fields.of_class(dataset_schema.of_kind(kind, "download" in dataset)), "dataset")
    if "classes" in dataset:
        inputs.check_classes(dataset["classes"])
    inputs.as_size(dataset["image_size"])
    if dataset.get("patch") is not None:
        inputs.check_patch(dataset["patch"], dataset["image_size"])
    inputs.check_mappings(inputs.shared(dataset) if kind == "own" else dataset)
