"""Key -> type of each group of a config: from its dataclass, or from the signature of its function."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from dmf_cli import conf_files
from dmf_cli.config import dataset_schema, schema
from dmf_cli.parts import registry

_SETTING = re.compile(r"^(kind|download):[ ]*(\w*)", re.MULTILINE)


def of_class(kind: type) -> Mapping[str, Any]:
    """Of a dataclass of :mod:`dmf_cli.config.schema`."""
    return {field.name: field.type for field in dataclasses.fields(kind)}


def of_term(name: str) -> Mapping[str, Any]:
    """The parameters of a loss."""
    return registry.definition("loss", name).hints


def of_model(name: str) -> Mapping[str, Any]:
    """Of ``model``: its own keys and the parameters of the network ``name``."""
    return {**of_class(schema.Model), **registry.definition("model", name).hints}


def of_weighting(name: str) -> Mapping[str, Any]:
    """Of ``weighting``: its own keys and the parameters of the strategy ``name``.

    The coefficients of the loss are its ``prior``, and ``warmup`` may be left to the trainer.
    """
    taken = {key: hint for key, hint in registry.definition("strategy", name).hints.items() if key != "prior"}
    own = of_class(schema.Weighting)
    return {"name": own["name"], **taken, **({"warmup": own["warmup"]} if "warmup" in taken else {})}


def of_augmentation(name: str) -> Mapping[str, Any]:
    """Of ``augment``: the parameters of the augmentation ``name``."""
    return {"name": str, **(registry.definition("augmentation", name).hints if name != "none" else {})}


def of_dataset(kind: str, published: bool = False, name: str = "") -> Mapping[str, Any]:
    """Of a ``dataset`` of this ``kind``; published ones say where they can be downloaded.

    ``name`` is that of the function of a plugin, for ``own``.
    """
    if kind == "own":
        shared = {key: hint for key, hint in of_class(dataset_schema.Own).items() if key != "params"}
        return {**registry.definition("dataset", name).hints, **shared}
    return of_class(dataset_schema.of_kind(kind, published))


def of_option(group: str, option: str) -> Mapping[str, Any]:
    """Of an option of ours: one YAML file of ``conf/``. A loss is known by its terms, see :func:`of_term`."""
    if group in schema.PLAIN:
        return of_class(schema.PLAIN[group])
    base = conf_files.lineage(group, option)[0]
    if group in schema.NAMED:
        return {"name": str, **of_class(schema.NAMED[group].get(option) or schema.NAMED[group][base])}
    if group == "dataset" and option in registry.known("dataset"):
        return of_dataset("own", name=option)
    if group == "dataset":
        settings = _SETTING.findall(
            (conf_files.conf_dir() / group / f"{option}.yaml").read_text(encoding="utf-8")
        )
        return of_dataset(dict(settings)["kind"], "download" in dict(settings))
    own = {"model": of_model, "weighting": of_weighting, "augment": of_augmentation}
    return own[group](option if group == "augment" else base)
