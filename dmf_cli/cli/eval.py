"""``dmf eval``: score a finished run on one of its splits, or on data that it never saw."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.cli._parser import Parser, add_config_dir, add_run, own_configs
from dmf_cli.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from dmf_cli.config.typed import Config

SPLITS = ("train", "val", "test", "all")
# What the network was trained on: kept when it is scored on other images, unless said otherwise.
INPUT_KEYS = ("image_size", "channels", "resize", "normalize", "range")
SCORE_KEYS = ("threshold", "empty")
# What a score depends on; the rest of a config is about the training, which is over.
READ = (
    *("dataset.", "metrics.", "eval.", "split."),
    *(f"trainer.{key}" for key in ("batch_size", "backend", "device", "deterministic")),
)

_ABOUT = """\
Scores the best network of a run; tables and an example grid go to the metrics/ and predictions/ of the run,
under other settings than those of the run into files whose names say so (test_threshold=0.4_summary.md).

examples:
  dmf eval outputs/busi                                     the test split of its own data
  dmf eval outputs/busi split=val metrics.threshold=0.4
  dmf eval outputs/busi metrics=full                        surface distances, calibration, detection as well
  dmf eval outputs/busi split=all dataset=folder dataset.dir=PATH   images that it never saw
  dmf eval outputs/busi split=all --config-dir configs dataset=mine   the same, of configs/dataset/mine.yaml
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf eval RUN [split=...] [overrides]``."""
    parser = Parser(prog="dmf eval", description=_ABOUT)
    add_run(parser, "split=train|val|test|all, dataset=..., keys")
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.run_folder import run_plugins, stored_config

    run_plugins.use(options.run, stored_config.load_run(options.run), trust=options.trust)
    config, split = evaluation_config(options.run, options.overrides, own_configs(options.config_dir))
    from dmf_cli.inference import score, tables
    from dmf_cli.run_folder import index

    result = score.evaluate_run(options.run, config, split)
    _show(tables.render(result), options.run, result.summary["settings"]["split"])
    entry = index.read(options.run)
    if entry.state != "completed":
        print(f"warning: the run {entry.said}: this is its best network so far", file=sys.stderr)
    return 0


def evaluation_config(run: Path, overrides: Sequence[str], own: Sequence[str] = ()) -> "tuple[Config, str]":
    """The config of the run with ``overrides``, and the split to score.

    Args:
        run: the run folder.
        overrides: ``split=NAME`` (default test), ``dataset=NAME`` and its keys (a new dataset group that
            keeps the run's image size, channels, resizing and normalisation), ``metrics=NAME`` (keeps the
            run's threshold and rule for empty masks), or a key of :data:`READ`.
        own: the override that finds groups of the user's (``--config-dir``).

    Raises:
        UsageError: not a run, an unknown split, a wrong override, or one that changes no score.
    """
    from dmf_cli import config as configs
    from dmf_cli.run_folder import stored_config

    config, rest, split = configs.completed(stored_config.load_run(run)), [], "test"
    for override in overrides:
        key, _, value = override.partition("=")
        if value.lstrip().startswith("{"):
            raise ConfigError(key=key, value=value, allowed="single keys, such as metrics.threshold=0.4")
        if key == "split":
            split = value
        else:
            rest.append(override)
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    if any(override.startswith("dataset=") for override in rest):
        data = [override for override in rest if override.startswith(("dataset=", "dataset."))]
        config = _with_group("dataset", config, data, INPUT_KEYS, own)
        rest = [override for override in rest if override not in data]
    if any(override.startswith("metrics=") for override in rest):
        scores = [override for override in rest if override.startswith(("metrics=", "metrics."))]
        config = _with_group("metrics", config, scores, SCORE_KEYS, own)
        rest = [override for override in rest if override not in scores]
    for override in rest:
        _check_known(override, config)
    changed = configs.override(config, rest)
    other_data = changed.dataset != stored_config.load_run(run).dataset
    for key in (override.partition("=")[0] for override in rest):
        # The run's own images have the split that is saved with it.
        if key.startswith("split.") and not other_data:
            raise _changes_nothing(key)
    return changed, split


def _check_known(override: str, config: "Config") -> None:
    """An unknown key is compared with those of :data:`READ` alone; a known one must be one of them."""
    from dmf_cli import conf_files
    from dmf_cli.config.types import unknown_key

    key, equals, _ = override.partition("=")
    read = any(key == name or (name.endswith(".") and key.startswith(name)) for name in READ)
    if read or not equals or key.startswith(("+", "~")) or key == "eval":
        return  # `override` says what is wrong with it, if anything is
    top, dot, rest = key.partition(".")
    if top == "trainer" and dot and rest not in config.plain["trainer"]:
        mine = [name.removeprefix("trainer.") for name in READ if name.startswith("trainer.")]
        raise unknown_key("trainer.", rest, mine)
    if top not in config.plain and top not in conf_files.groups():
        raise unknown_key("", key, ["split", "dataset", "metrics", *(name.rstrip(".") for name in READ)])
    raise _changes_nothing(key)


def _changes_nothing(key: str) -> ConfigError:
    return ConfigError(
        key=key,
        reason="changes no score of a trained network",
        hint="omit it; dmf eval takes split=, dataset=, metrics=, eval.resolution, trainer.batch_size, "
        "trainer.device, and split keys for other images",
    )


def _with_group(
    group: str, config: "Config", overrides: list[str], keep: Sequence[str], own: Sequence[str]
) -> "Config":
    """``config`` with the ``group`` of ``overrides``, and its own keys ``keep`` unless they say otherwise."""
    from dmf_cli import config as configs

    fresh, trained = configs.compose([*overrides, *own]).plain[group], config.plain[group]
    given = {override.partition("=")[0].removeprefix(f"{group}.") for override in overrides}
    kept = {k: trained[k] for k in keep if k in trained and k in fresh and k not in given}
    return config.with_group(group, {**fresh, **kept})


def _show(table: Any, run: Path, name: str) -> None:
    from rich.console import Console

    Console().print(table)
    print(f"written to {run / 'metrics' / name}_* and {run / 'predictions' / name}*")
