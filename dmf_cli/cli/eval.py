"""``dmf eval``: score a finished run on one of its splits, or on data that it never saw."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli.cli._parser import Parser, add_config_dir, add_run, own_configs

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
    own = own_configs(options.config_dir)  # what is wrong with it is said first
    from dmf_cli.inference.evaluation_config import evaluation_config
    from dmf_cli.run_folder import run_plugins, stored_config

    run_plugins.use(options.run, stored_config.load_run(options.run), trust=options.trust)
    config, split = evaluation_config(options.run, options.overrides, own)
    from dmf_cli.inference import score, tables
    from dmf_cli.run_folder import index

    result = score.evaluate_run(options.run, config, split)
    _show(tables.render(result), options.run, result.summary["settings"]["split"])
    entry = index.read(options.run)
    if entry.state != "completed":
        print(f"warning: the run {entry.said}: this is its best network so far", file=sys.stderr)
    return 0


def _show(table: Any, run: Path, name: str) -> None:
    from rich.console import Console

    Console().print(table)
    print(f"written to {run / 'metrics' / name}_* and {run / 'predictions' / name}*")
