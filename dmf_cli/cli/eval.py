"""``dmf eval``: score a finished run on one of its splits, or on data that it never saw."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.cli._parser import Parser, add_config_dir, add_runs, own_configs, runs_and_overrides
from dmf_cli.terminal.say import say

if TYPE_CHECKING:
    from dmf_cli.run_folder.index import Entry

_ABOUT = """\
Scores the best network of a run; tables and an example grid go to the metrics/ and predictions/ of the run,
under other settings than those of the run into files whose names say so (test_threshold=0.4_summary.md).
Of a run that still trains they never are the run's own either: test_network=HASH_summary.md.

examples:
  dmf eval outputs/busi                                     the test split of its own data
  dmf eval outputs/busi split=val metrics.threshold=0.4
  dmf eval outputs/busi predict.mirror=true predict.decision=dice   masks made in another way
  dmf eval outputs/busi metrics=full                        surface distances, calibration, detection as well
  dmf eval outputs/busi split=all dataset=folder dataset.dir=PATH   images that it never saw
  dmf eval outputs/busi split=all --config-dir configs dataset=mine   the same, of configs/dataset/mine.yaml
  dmf eval outputs/fold_* predict.mirror=true       all images, each by the networks that never saw it
  dmf eval outputs/seed_* -o outputs/ensemble       the mean of the networks of several seeds
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf eval RUN [RUN ...] [split=...] [overrides] [-o DIR]``."""
    parser = Parser(prog="dmf eval", description=_ABOUT)
    add_runs(parser, text="split=train|val|test|all, dataset=..., keys of metrics, predict and eval")
    text = "where scores go; default: into the run, of several runs ensembles/RUN_and_N_more beside the first"
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help=text)
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    own = own_configs(options.config_dir)  # what is wrong with it is said first
    from dmf_cli.inference.evaluation_config import evaluation_config
    from dmf_cli.run_folder import run_plugins, stored_config

    runs, overrides = runs_and_overrides(parser, options.words)
    for path in runs:
        run_plugins.use(path, stored_config.load_run(path), trust=options.trust)
    config, split = evaluation_config(runs[0], overrides, own)
    from dmf_cli.inference import score, tables
    from dmf_cli.run_folder import index

    result = score.evaluate_runs(runs, config, split, options.output)
    where = options.output or score.place(runs)
    _show(tables.render(result), where, result.summary["settings"]["split"])
    for entry in map(index.read, runs):
        if entry.state != "completed":
            say(f"warning: {_named(entry, runs)}: this is its best network so far", error=True)
    return 0


def _named(entry: "Entry", runs: Sequence[Path]) -> str:
    """Which run is meant, if there are several."""
    return f"the run {entry.said}" if len(runs) == 1 else f"{entry.path} {entry.said}"


def _show(table: Any, run: Path, name: str) -> None:
    from dmf_cli.terminal.console import SafeConsole

    SafeConsole().print(table)
    say(f"written to {run / 'metrics' / name}_* and {run / 'predictions' / name}*")
