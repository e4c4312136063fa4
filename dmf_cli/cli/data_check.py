"""``dmf data check``: everything that is wrong with a dataset, and what its splits leak."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.config import dataset_schema
from dmf_cli.terminal import progress
from dmf_cli.terminal.say import say

if TYPE_CHECKING:
    from dmf_cli.config.typed import Config
    from dmf_cli.datasets.base import Dataset
    from dmf_cli.datasets.inspect.check import Report

_ABOUT = """\
Reads every image and mask of a dataset and reports all that is wrong: unreadable files, images without masks
and the reverse, masks of another size, unknown labels, empty masks, copies and near-duplicates, and what the
split leaks, compared with a plain random one. Exit code 1 if something makes results wrong.

examples:
  dmf data check dataset=busi dataset.dir=PATH
  dmf data check dataset=busi dataset.dir=PATH split.similarity=0.8 -o busi_check
  dmf data check dataset=busi dataset.dir=PATH split.file=outputs/study/split.json
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf data check dataset=NAME [KEY=VALUE ...] [-o DIR]``."""
    parser = Parser(prog="dmf data check", description=_ABOUT, settings=())
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="KEY=VALUE", help="dataset=..., split=..., keys"
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="default: NAME_check, here")
    add_config_dir(parser)
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.cli.data import composed

    config = composed([*options.overrides, *own_configs(options.config_dir)])
    report = _check(config)
    output = options.output or Path(f"{report.dataset.name}_check")
    _print(report, _write(output, report))
    return 1 if report.errors else 0


def _check(config: "Config") -> "Report":
    from dmf_cli.datasets.input.run_data import make_split
    from dmf_cli.datasets.input_spec import InputSpec
    from dmf_cli.datasets.inspect.check import check
    from dmf_cli.datasets.sources import mask_report
    from dmf_cli.datasets.sources.survey import survey
    from dmf_cli.datasets.splits.division import read_split

    dataset, split = config.dataset, config.split
    if split.file:
        read_split(Path(split.file))  # a missing file is reported before anything slow
    opened, spec = _opened(dataset), InputSpec.of(dataset)

    def divide(images: Any, found: Any, **changes: Any) -> Any:
        return make_split(dataclasses.replace(split, **changes), images, found=found)

    alike = split.similarity is not None
    with progress.count("checking", len(opened)) as advance:
        found = survey(opened, spec, alike=alike, progress=advance)
        return check(
            opened,
            found,
            divide,
            similarity=split.similarity,
            needs_masks=not isinstance(dataset, dataset_schema.Paired) or dataset.missing_mask == "error",
            unclaimed=_unclaimed(dataset),
            remarks=mask_report.report(opened, spec),
            normalize=spec.normalize,
        )


def _opened(dataset: "dataset_schema.Dataset") -> "Dataset":
    """What stops a training is a finding here; what it excludes is excluded, as long as something is left."""
    from dmf_cli.datasets import open_dataset
    from dmf_cli.errors import DatasetError

    if not isinstance(dataset, dataset_schema.Paired):
        return open_dataset(dataset)
    lenient = dataclasses.replace(dataset, missing_mask="empty")
    try:
        return open_dataset(lenient)
    except DatasetError:
        return open_dataset(dataclasses.replace(lenient, size_mismatch="error", on_bad="error"))


def _unclaimed(dataset: "dataset_schema.Dataset") -> list[Path]:
    """Masks without an image, of a dataset that lies in a folder."""
    if not isinstance(dataset, dataset_schema.Folder):
        return []
    from dmf_cli.datasets.sources.folder_place import images_folder
    from dmf_cli.datasets.sources.pairing import unclaimed_masks
    from dmf_cli.datasets.sources.patterns import Patterns

    patterns = {key: getattr(dataset, key) for key in Patterns._fields}
    return unclaimed_masks(images_folder(dataset), Patterns(**patterns), dataset.name)


def _write(output: Path, report: "Report") -> list[Path]:
    """``check.json`` and, where there are near-duplicates, ``pairs.png``."""
    from dmf_cli.datasets.inspect.check import as_json
    from dmf_cli.figures.gallery import plot_pairs
    from dmf_cli.files import disk_errors, write_atomic

    table, picture = output / "check.json", output / "pairs.png"
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        picture.unlink(missing_ok=True)  # of an earlier call: it may have found what is gone
    write_atomic(table, json.dumps(as_json(report), indent=1, ensure_ascii=False) + "\n")
    if not report.pairs:
        return [table]
    plot_pairs(picture, report.dataset, report.pairs)
    return [table, picture]


def _print(report: "Report", files: Sequence[Path]) -> None:
    from dmf_cli.datasets.sources.grouping import describe
    from dmf_cli.terminal import check_report
    from dmf_cli.terminal.console import SafeConsole

    console, summary = SafeConsole(), report.statistics.summary()
    usable = len(report.dataset)
    say(f"{report.dataset.name}: {report.total} images, {usable} can be used")
    say(check_report.images(summary))
    for label, text in describe(report.dataset).items():
        say(f"{label}: {text}")
    for table in (check_report.strata(summary), check_report.classes(summary)):
        say("")
        console.print(table)
    if report.leaks:
        say("")
        console.print(check_report.leaks(report))
    if report.findings:
        say("")
        console.print(check_report.findings(report))
    warnings = len(report.findings) - report.errors
    say("", f"{report.errors} error(s), {warnings} warning(s); written to {' and '.join(map(str, files))}")
