"""``dmf extend``: train a run on for more epochs, as a new run that names it."""

from collections.abc import Sequence

from dmf_cli.cli._parser import Parser, add_run

_ABOUT = """\
Trains a run on from the end of its last epoch, as a new run in a folder of its own; the old one is not
changed. The new run has the rows and the best network of the old one and names it in its status.json.

A schedule that depends on the length of the run needs --schedule:
  continue   the learning rate is that of one run of the new length, from the next epoch on
  restart    the schedule begins anew, over the epochs that are added (a warm restart)
With schedule=constant and schedule=plateau both are the same.

Other settings make another training: dmf train model.weights=RUN starts one from the weights of a run.

examples:
  dmf extend outputs/busi trainer.epochs=60 --schedule continue
  dmf extend outputs/busi trainer.epochs=60 --schedule restart run_dir=outputs/busi_60
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf extend RUN trainer.epochs=N [--schedule continue|restart] [KEY=VALUE ...]``."""
    parser = Parser(prog="dmf extend", description=_ABOUT)
    add_run(
        parser, "trainer.epochs=N; run_dir, output_root, trainer.patience; dataset.dir=, if images were moved"
    )
    parser.add_argument("--schedule", metavar="POLICY", help="continue or restart")
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.config import moving
    from dmf_cli.errors import ConfigError, UnknownNameError
    from dmf_cli.run_folder import run_plugins, stored_config

    if options.schedule not in (None, *moving.POLICIES):
        raise UnknownNameError("--schedule", options.schedule, moving.POLICIES)
    stored = stored_config.load_run(options.run)
    run_plugins.use(options.run, stored, trust=options.trust)
    allowed = ("trainer.epochs", "trainer.patience", "run_dir", "report", *moving.PLACES)
    changed = moving.changed(
        stored.with_root(run_dir=None),
        options.overrides,
        allowed,
        f"for other settings start a new run from its weights: dmf train model.weights={options.run}",
    )
    if not any(word.startswith("trainer.epochs=") for word in options.overrides):
        number = "the number that the run is to reach, as trainer.epochs=60"
        raise ConfigError(key="trainer.epochs", reason="is missing", allowed=number)
    from dmf_cli.training import extend

    extend.extend(options.run, changed, options.schedule)
    return 0
