"""``dmf replay``: the weights that other strategies would have given on recorded losses, without training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.terminal.say import say

if TYPE_CHECKING:
    from dmf_cli.config.typed import Choice
    from dmf_cli.replaying.history import History

_ABOUT = """\
Runs weighting strategies over the losses of a run, or of a CSV with one column a loss, and shows the weights
they would have given: a table, and a plot with a panel each. Nothing is trained. What it cannot show is how
the losses would have changed under other weights.

examples:
  dmf replay outputs/busi weighting=mad,var,softadapt
  dmf replay outputs/busi weighting=var,mad weighting.window=50 weighting.warmup=20
  dmf replay losses.csv weighting=cov,dwa weighting.steps_per_epoch=100 -o somewhere

A parameter goes to the strategies that have it. Those that need gradients (gradnorm, lr_annealing) need a run
that recorded them: trainer.insight_every=K, replayed with weighting.every=K.
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf replay RUN|FILE.csv weighting=A,B [weighting.KEY=VALUE] [-o DIR] [--config-dir DIR]``."""
    parser = Parser(prog="dmf replay", description=_ABOUT)
    parser.add_argument("source", metavar="RUN|FILE.csv", type=Path, help="a run folder, or a CSV of losses")
    parser.add_argument("overrides", nargs="+", metavar="weighting=A,B", help="and weighting.KEY=VALUE")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="default: RUN/replay or FILE_replay")
    add_config_dir(parser)
    # Intermixed: weighting=... may stand before and after -o.
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.replaying import history

    recorded = history.read(options.source)  # an error in it is reported before anything slow is imported
    from dmf_cli.replaying.strategies import weighting_configs

    chosen = weighting_configs(options.overrides, own_configs(options.config_dir))
    folder = options.output or _folder(options.source)
    _replay(recorded, chosen, folder)
    say(f"written to {folder}")
    return 0


def _replay(recorded: "History", chosen: "Mapping[str, Choice]", folder: Path) -> None:
    from dmf_cli.figures import matplotlib_renderer
    from dmf_cli.files import disk_errors
    from dmf_cli.replaying import plots, strategies, tables
    from dmf_cli.terminal.console import SafeConsole

    weights = strategies.replay(recorded, chosen)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tables.write(folder, recorded, weights)
    losses = dict(zip(recorded.terms, recorded.losses.T, strict=True))
    figure = plots.weights(recorded.steps.tolist(), losses, weights)
    matplotlib_renderer.write(folder, figure, recorded.source.resolve().name)
    SafeConsole().print(tables.render(recorded, weights))


def _folder(source: Path) -> Path:
    return source / "replay" if source.is_dir() else source.with_name(f"{source.stem}_replay")
