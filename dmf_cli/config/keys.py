"""Which keys a config has and what they mean, from the YAML files' own text: no Hydra, so it is instant."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import conf_files, expression
from dmf_cli.config import fields, own_metrics, plugin_options, schema
from dmf_cli.config.headers import key_comments
from dmf_cli.config.types import alternatives
from dmf_cli.config.types import choices as named_values
from dmf_cli.errors import ConfigError
from dmf_cli.ranges import Positive

_DEFAULT = re.compile(r"^\s*- (?:override )?/?([\w/]+): ([^\s#]+)")


def default_choices() -> dict[str, str]:
    """Group -> option, as the defaults list of the root config has them."""
    text = (conf_files.conf_dir() / f"{conf_files.ROOT_CONFIG}.yaml").read_text(encoding="utf-8")
    found = (_DEFAULT.match(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match and match[1] in conf_files.groups()}


def meanings(choices: Mapping[str, str]) -> dict[str, str]:
    """Dotted key -> "(type) meaning" of the config that these choices of options give.

    The type is that of the dataclass or the signature, the meaning the comment in the YAML file.
    """
    hints, said = types(choices), _comments(choices)
    shown = {key: f"({'|'.join(alternatives(hint))}) " for key, hint in hints.items() if hint is not Any}
    return {key: f"{shown.get(key, '')}{said[key]}".rstrip() for key in said}


def types(choices: Mapping[str, str]) -> dict[str, Any]:
    """Dotted key -> type of the config that these choices of options give."""
    choices, own = _with_own(choices)
    found = dict(fields.of_class(schema.Root)) | own_metrics.hints(own)
    for group, option in choices.items():
        if group not in (*conf_files.PRESETS, "loss", "auxiliary") and option in conf_files.options(group):
            found |= {f"{group}.{key}": hint for key, hint in fields.of_option(group, option).items()}
    for group, kind in (("auxiliary", schema.Auxiliary), ("eval", schema.Eval)):
        found |= {f"{group}.{key}": hint for key, hint in fields.of_class(kind).items()}
    helper = conf_files.lineage("auxiliary", choices.get("auxiliary", "none"))[0]
    terms = [(f"loss.terms.{term}.", term) for term in _terms(choices.get("loss", ""))]
    for prefix, term in [*terms, *([("auxiliary.params.", helper)] if helper in conf_files.terms() else [])]:
        found |= {f"{prefix}{key}": hint for key, hint in fields.of_term(term).items()}
    return found | {f"loss.coefficients.{term}": Positive for _, term in terms}


def values(choices: Mapping[str, str]) -> dict[str, list[str]]:
    """Dotted key -> the values that have names, of the config that these choices of options give."""
    hints = types(choices)
    return {key: named_values(hints.get(key, Any)) for key in _comments(choices)}


def _comments(choices: Mapping[str, str]) -> dict[str, str]:
    """Dotted key -> its comment."""
    choices, own = _with_own(choices)
    conf, found = (
        conf_files.conf_dir(),
        key_comments(conf_files.conf_dir() / f"{conf_files.ROOT_CONFIG}.yaml"),
    )
    found = {key: comment for key, comment in found.items() if key.partition(".")[0] != "hydra"}
    found |= own_metrics.meanings(own)
    for group, option in choices.items():
        if part := plugin_options.option(group, option):
            found |= {f"{group}.{key}": said for key, said in plugin_options.meanings(group, part).items()}
    files = [
        (f"{group}.", conf / group / f"{name}.yaml")
        for group, option in choices.items()
        if group not in conf_files.PRESETS
        for name in conf_files.lineage(group, option)
    ]
    helper = conf_files.lineage("auxiliary", choices.get("auxiliary", "none"))[0]
    files += [("auxiliary.", conf / "auxiliary" / "none.yaml"), ("auxiliary.params.", _term(helper))]
    for term in _terms(choices.get("loss", "")):
        files.append((f"loss.terms.{term}.", _term(term)))
        found[f"loss.coefficients.{term}"] = "coefficient of the term"
        found |= _of_term(f"loss.terms.{term}.", term)
    for prefix, file in files:
        if file.is_file():
            found |= {f"{prefix}{key}": comment for key, comment in key_comments(file).items()}
    return found | _of_term("auxiliary.params.", helper)


def _with_own(choices: Mapping[str, str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """``choices`` with the option of ``metrics`` alone, and the metrics of the user beside it."""
    try:
        base, own = own_metrics.parse(choices[own_metrics.GROUP])
    except (ConfigError, KeyError):
        return choices, ()
    return {**choices, own_metrics.GROUP: base}, own


def _of_term(prefix: str, name: str) -> dict[str, str]:
    """What the loss of a plugin says of its parameters."""
    part = plugin_options.term(name)
    return {f"{prefix}{key}": one.meaning for key, one in part.parameters.items()} if part else {}


@functools.cache
def of_options() -> Mapping[str, tuple[str, ...]]:
    """Dotted key -> the choices that bring it, such as ``dataset.strata`` -> ``("dataset=busi", ...)``.

    ``loss.terms.TERM.alpha`` stands for all terms that have it.
    """
    found: dict[str, list[str]] = {}
    files = [
        (f"{group}.", f"{group}={option}", conf_files.conf_dir() / group / f"{name}.yaml")
        for group in conf_files.groups()
        if group not in conf_files.PRESETS
        for option in conf_files.options(group)
        for name in conf_files.lineage(group, option)
    ]
    files += [("loss.terms.TERM.", f"loss={term}", _term(term)) for term in conf_files.terms()]
    for prefix, choice, file in files:
        for key in key_comments(file) if file.is_file() else ():
            brings = found.setdefault(f"{prefix}{key}", [])
            if choice not in brings:
                brings.append(choice)
    return {key: tuple(choices) for key, choices in found.items()}


def _term(name: str) -> Path:
    return conf_files.conf_dir() / "loss" / "term" / f"{name}.yaml"


def _terms(text: str) -> tuple[str, ...]:
    try:
        return expression.parse(text, conf_files.terms()).terms
    except ConfigError:
        return ()
