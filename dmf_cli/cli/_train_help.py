"""What ``dmf train --help`` prints: usage, groups, and each key of the config with its meaning.

Not Hydra's own help: that cannot show what a key means, and a bad override ends it with a traceback.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dmf_cli import conf_files
from dmf_cli.config import checks, composer, keys, plugin_options
from dmf_cli.config.headers import read_header
from dmf_cli.terminal.wrapping import fit, width

_TEMPLATE = """\
usage: dmf train [KEY=VALUE | GROUP=OPTION ...] [-m] [--cfg job]

Trains one model, evaluates it on the test split and leaves everything in outputs/<date>/<time>_<slug>/.

loss expressions: any terms joined by +, with or without coefficients; each term keeps its parameters
  dmf train loss=cbdice+bce loss.terms.cbdice.absent=max
  dmf train loss=dice:0.7+bce:0.3 weighting=fixed          (the same: loss='0.7*dice + 0.3*bce')
  dmf train loss=ce+iou+dice auxiliary=cbdice auxiliary.gamma0=5

more examples
  dmf train dataset=busi dataset.dir=PATH trainer.epochs=40 run_dir=outputs/busi
  dmf train -m weighting=fixed,var,mad,bayes seed=0,1,2    (a sweep; again: runs what is left)
  dmf train -m 'seed=range(8)' hydra/launcher=joblib        (or submitit_slurm, ray)

groups (GROUP=OPTION)
{groups}

config of this command (KEY=VALUE)
{keys}

options
  -h, --help         this text, for the overrides given
  -m, --multirun     one run for each combination of comma-separated values
  --dry-run          print the table of jobs, which of them are done, and run nothing
  -c, --cfg job      print the config as YAML instead of training
  -cd, --config-dir  one more folder with config groups of your own
  --version          the version of dmf
  Hydra's others: --resolve --package --config-name --config-path --info
"""
_VALUE_WIDTH = 22


def text(overrides: Sequence[str]) -> str:
    """The help for these overrides.

    Raises:
        ConfigError: an override is wrong, as it would be without ``--help``.
    """
    raw = composer.compose_raw(overrides, hydra=True)
    choices = {str(k): v for k, v in raw.hydra.runtime.choices.items()}
    config = {k: v for k, v in _container(raw).items() if k != "hydra"}
    checks.validate(config)
    return fit(_TEMPLATE.format(groups=_groups(choices), keys="\n".join(_keys(config, choices))))


def _container(raw: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    from dmf_cli.config import messages

    plain = OmegaConf.masked_copy(raw, [key for key in raw if key != "hydra"])
    try:
        return dict(OmegaConf.to_container(plain, resolve=True))  # type: ignore[arg-type]
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, ()) from error


def _groups(choices: Mapping[str, Any]) -> str:
    """One line a group: its options, and what the chosen one is."""
    lines = []
    for group in conf_files.groups():
        chosen = choices.get(group)
        file = conf_files.conf_dir() / group / f"{chosen}.yaml"
        part = plugin_options.option(group, str(chosen))
        said = read_header(file).title if file.is_file() else part.summary if part else ""
        title = f"    {said}" if said else ""
        more = ", or any sum of them" if group == "loss" else ""
        options = ", ".join(conf_files.options(group)) + more
        lines += textwrap.wrap(f"  {group:<11} {options}", width(), subsequent_indent=" " * 14)
        lines += [f"  {'':<11}{title}"] if title else []
    return "\n".join(lines)


def _keys(config: Mapping[str, Any], choices: Mapping[str, Any]) -> Iterator[str]:
    """``key  value  (type) meaning`` for each leaf of the config."""
    meanings = keys.meanings(choices) | {"loss.expression": "(str) the terms and their coefficients"}
    leaves = list(_leaves(config))
    longest = max(len(key) for key, _ in leaves)
    for key, value in leaves:
        shown = _shown(value)
        yield f"  {key:<{longest}}  {shown:<{_VALUE_WIDTH}}  {meanings.get(key, '')}".rstrip()


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return "[" + ", ".join(map(_shown, value)) + "]" if isinstance(value, list) else str(value)
