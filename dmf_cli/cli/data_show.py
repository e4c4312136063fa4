"""``dmf data show``: a picture of example images with their masks, and how many there are of what."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.errors import ConfigError
from dmf_cli.terminal.say import say

_ABOUT = """\
Draws example images of a dataset with the outlines of their masks, and counts its images.

examples:
  dmf data show dataset=phantom dataset.difficulty=hard
  dmf data show dataset=busi dataset.dir=PATH count=8 -o busi.png
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf data show dataset=NAME [KEY=VALUE ...] [count=16] [-o FILE]``."""
    parser = Parser(prog="dmf data show", description=_ABOUT, settings=("count",))
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="KEY=VALUE", help="dataset=..., keys, count=16"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="a PNG file; default: NAME.png, here"
    )
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.cli.data import composed

    count, overrides = _count(options.overrides)
    if options.output and options.output.suffix.lower() != ".png":
        name = "a name that ends in .png"
        raise ConfigError(key="-o", value=options.output, reason="and the picture is PNG", allowed=name)
    config = composed([*overrides, *own_configs(options.config_dir)])
    from dmf_cli.datasets import open_dataset
    from dmf_cli.datasets.sources.grouping import describe
    from dmf_cli.figures import gallery
    from dmf_cli.terminal.console import SafeConsole

    dataset = open_dataset(config.dataset)
    file = options.output or Path(f"{dataset.name}.png")
    gallery.plot_samples(file, dataset, count)
    say(f"{dataset.name}: {', '.join(dataset.classes)}")
    SafeConsole().print(gallery.render(dataset))
    for label, text in describe(dataset).items():
        if label != "strata":  # the table has them
            say(f"{label}: {text}")
    say(f"written to {file}")
    return 0


def _count(overrides: Sequence[str]) -> tuple[int, list[str]]:
    """``count=N`` among the overrides, and the others."""
    given = [override for override in overrides if override.startswith("count=")]
    value = given[-1].removeprefix("count=") if given else "16"
    if not value.isdecimal() or not 1 <= int(value) <= 400:
        number = "a number of images from 1 to 400, as count=16"
        raise ConfigError(key="count", value=value, allowed=number)
    return int(value), [override for override in overrides if override not in given]
