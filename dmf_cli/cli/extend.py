"""``dmf extend``: train a run on for more epochs, as a new run that names it."""

from collections.abc import Sequence

from dmf_cli.cli._parser import Parser, add_run

_ABOUT = """\
Trains a run on from its last checkpoint, as a new run in a folder of its own; the old one is not
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
    from dmf_cli.run_folder import run_plugins, stored_config

    run_plugins.use(options.run, stored_config.load_run(options.run), trust=options.trust)
    from dmf_cli.training import extend

    config = extend.extension_config(options.run, options.overrides, options.schedule)
    extend.extend(options.run, config, options.schedule)
    return 0
