"""``dmf tune``: search the fixed weights of a loss, or any other settings, by the validation split."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dmf_cli import interrupts
from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.cli._presets import note_excluded
from dmf_cli.errors import UsageError
from dmf_cli.planning import units
from dmf_cli.terminal.say import say
from dmf_cli.tuning.options import OWN

if TYPE_CHECKING:
    from dmf_cli.tuning.study import SearchPlan

_ABOUT = """\
Searches with Optuna, by default the fixed weights of the loss: what dynamic weights have to beat. Each trial
is a run like all others, below one study folder. The validation figure trainer.monitor decides, never the
test split. The same command again resumes a search that was interrupted.

examples:
  dmf tune loss=cbdice+bce
  dmf tune loss=ce+dice+iou dataset=busi dataset.dir=PATH trials=40 workers=2
  dmf tune loss=dice+bce trials=30 'optimizer.learning_rate=tag(log,interval(1e-4,1e-2))'
  dmf tune weighting=var 'weighting.window=range(50,301,50)'      a dynamic strategy gets the same chance

options:
  trials=20         in all; a larger number adds trials to the same study
  workers=1         trials at a time
  pruner=median     median, hyperband or none: trials that are behind are stopped early
  weights=true      search the weights (of weighting=fixed, the default here, with two terms or more)
  ratio=30          the largest ratio between the weight of a term and that of the first
  study=PATH        folder of the search; default: OUTPUT_ROOT/tune/LOSS_DATASET_ID

Everything else is as for dmf train. A key is searched where its value is one of
  interval(0.1,0.9)            any number; int(interval(4,32)) a whole one
  tag(log,interval(1e-4,1))    any number, equal factors equally likely
  range(50,301,50)             numbers in steps, the end excluded
  choice(a,b) or a,b           one of these
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf tune [OVERRIDES] [trials=N] ...``; the exit code is 1 if no trial was finished."""
    usage = "dmf tune [KEY=VALUE ...] [--config-dir DIR]"
    parser = Parser(prog="dmf tune", description=_ABOUT, usage=usage, settings=tuple(OWN))
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="options and overrides, see above")
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    _refuse_planned(options.overrides)
    from dmf_cli.tuning import study as studies

    plan = studies.plan([*options.overrides, *own_configs(options.config_dir)])
    choices = [f"{one.key}={','.join(one.choices)}" for one in plan.space.dimensions if one.choices]
    note_excluded([*plan.words, *choices])
    with studies.opened(plan) as study:
        return search(plan, study, warm=True)


def _refuse_planned(words: Sequence[str]) -> None:
    own = [key for word in words if (key := word.partition("=")[0]) in units.PLANNED]
    if own:
        hint = "dmf plan shows settings for a budget, which dmf tune takes"
        raise UsageError(key=own[0], reason="belongs to dmf train plan=auto", hint=hint)


def search(plan: "SearchPlan", study: Any, **options: Any) -> int:
    """Run the rest of ``plan``, show and write its results; returns the exit code."""
    from dmf_cli.terminal.run_display import make_console
    from dmf_cli.tuning import results
    from dmf_cli.tuning import search as searching

    runner = searching.run(plan, study, **options)
    console = make_console()
    console.print(results.render(plan, study))
    say(results.files(plan.folder))
    train = results.command(plan, study)
    if train:
        say("train the best with new seeds:")  # on a line of its own, to be copied
        say(train)
    if runner.interrupted:
        say("interrupted: run the same command again to resume the search", error=True)
        return interrupts.exit_code()
    if runner.gave_up:
        say("error: the first trials all failed, see above", error=True)
    return 0 if train else 1
