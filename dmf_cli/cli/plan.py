"""``dmf plan``: what to train with on these images, on this machine, in a given time."""

import json
from collections.abc import Sequence

from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.planning import units
from dmf_cli.terminal.say import say, say_text

_ABOUT = """\
Looks at the images of a dataset, times a few steps on this machine, and proposes what to train with: recipe,
image size, width and depth of the network, batch size and epochs, each with its reason, the expected time and
memory, and the command. What you type, and what a recipe, an experiment or the dataset sets, stays;
trainer.epochs=auto leaves the epochs to the plan.

  budget=TIME     for the whole run, as 30m (the default), 90s or 1h30m
  memory=AMOUNT   at most, as 800M or 4G (MiB, GiB); default: four fifths of this machine's
  KEY=VALUE       as for dmf train

examples:
  dmf plan dataset=busi dataset.dir=PATH
  dmf plan dataset=busi dataset.dir=PATH budget=2h memory=4G
  dmf train plan=auto budget=30m dataset=busi dataset.dir=PATH
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf plan [KEY=VALUE ...] [budget=TIME] [memory=AMOUNT] [--json]``."""
    parser = Parser(prog="dmf plan", description=_ABOUT, settings=units.WORDS)
    parser.add_argument(
        "words", nargs="*", default=[], metavar="KEY=VALUE", help="dataset=..., budget=..., keys"
    )
    parser.add_argument("--json", action="store_true", help="an object for programs")
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.planning import plan

    made = plan.make([*options.words, *own_configs(options.config_dir)], say=_note)
    say_text(json.dumps(made.as_json(), indent=2) if options.json else str(made))
    return 0


def _note(line: str) -> None:
    say(line, error=True)
