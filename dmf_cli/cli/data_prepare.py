"""``dmf data prepare``: get a dataset, or say how to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli import hints
from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.config import dataset_schema
from dmf_cli.errors import UsageError
from dmf_cli.terminal import progress
from dmf_cli.terminal.say import say, say_text

_ABOUT = """\
Downloads a dataset whose licence allows that (resuming where an earlier call was cut), checks it and unpacks
it; makes those that are made; says for others where to get them and where to put them.

examples:
  dmf data prepare dataset=bus_bra                          into your cache, where dataset=bus_bra finds it
  dmf data prepare dataset=busi dataset.dir=/data/busi      train with the same dataset.dir
  dmf data prepare dataset=udiat --archive DatasetB.zip     an archive that you downloaded yourself
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf data prepare dataset=NAME [KEY=VALUE ...] [--archive FILE]``."""
    parser = Parser(prog="dmf data prepare", description=_ABOUT, settings=())
    parser.add_argument("overrides", nargs="*", default=[], metavar="KEY=VALUE", help="dataset=..., keys")
    parser.add_argument(
        "--archive",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="unpack this; may be repeated",
    )
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.cli.data import composed

    group = composed([*options.overrides, *own_configs(options.config_dir)]).dataset
    if options.archive and not isinstance(group, dataset_schema.Published):
        none = f"dataset={group.name} does not come in archives"
        raise UsageError(none, key="--archive", value=options.archive, hint="omit --archive")
    if not options.archive and _only_by_hand(group):
        return 1
    dataset = _prepare(group, options.archive)
    say(f"{dataset.name}: {len(dataset)} images, {', '.join(dataset.classes)}")
    kept = [override for override in options.overrides if not override.startswith("dataset.download.")]
    own = ["--config-dir", str(options.config_dir)] if options.config_dir else []
    say(f"next: {hints.command('data', 'show', *own, *kept)}")
    return 0


def _only_by_hand(group: dataset_schema.Dataset) -> bool:
    """Whether the dataset is not there and no program can get it; then what to do is printed."""
    if not isinstance(group, dataset_schema.Published) or group.download["urls"]:
        return False
    from dmf_cli.datasets.fetch import install

    if install.is_there(group):
        return False
    say_text(install.by_hand(group))
    return True


def _prepare(group: dataset_schema.Dataset, archives: Sequence[Path]) -> Any:
    from dmf_cli.datasets import open_dataset

    if isinstance(group, dataset_schema.Tfds):
        from dmf_cli.datasets.sources.tfds import prepare_tfds

        return prepare_tfds(group)
    if not isinstance(group, dataset_schema.Published):
        return open_dataset(group)
    from dmf_cli.datasets.fetch.install import prepare_folder

    try:
        with progress.downloads() as track:
            return prepare_folder(group, archives, track=track)
    except KeyboardInterrupt:
        say("what has been downloaded is kept: run the command again to resume", error=True)
        raise
