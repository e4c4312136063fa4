"""What limits the Dice of a run, or of all folds and seeds of a setting: a report in Markdown.

Run: python scripts/limits.py PATH... [--no-data] > limits.md        (run folders, or folders that hold some)

It reads metrics/test_per_image.csv, and metrics/train_per_image.csv after `dmf eval RUN split=train`.

The first table divides all Dice that is lost (1 - mean) into lesions that were missed, false alarms, and
pixels too many and too few in lesions that were found; the parts add up. The second is by the size of the
lesion. The third has bounds: what the truth itself scores after it was resized to the network's size and
back (as labels, as the network is trained on, and as shares of a pixel, the best that it could predict),
the Dice of training images, and which epochs were kept. Several classes are one here, the foreground;
images without a lesion and without a prediction do not count.
"""

import argparse
import csv
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.comparison import loading
from dmf_cli.datasets.base import IGNORED
from dmf_cli.datasets.input_spec import InputSpec, restore
from dmf_cli.run_folder import stored_config
from dmf_cli.terminal.text import markdown_row

Table = list[list[str]]
NOT_KNOWN = (float("nan"), float("nan"))


@dataclasses.dataclass(frozen=True)
class Image:
    """Pixels of a scored image, and the Dice of its truth at the network's size, as labels and shares."""

    id: str
    lesion: int
    predicted: int
    overlap: int
    bounds: tuple[float, float] = NOT_KNOWN

    @property
    def dice(self) -> float:
        return 2 * self.overlap / (self.lesion + self.predicted)

    @property
    def found(self) -> bool:
        return self.overlap > 0


def scored(run: Path, split: str) -> list[Image]:
    """The images of a split that have a Dice; none if it was not scored."""
    file = run / "metrics" / f"{split}_per_image.csv"
    if not file.is_file():
        return []
    columns = ("lesion_pixels", "predicted_pixels", "overlap_pixels")
    with file.open(newline="", encoding="utf-8") as stream:
        images = [Image(row["id"], *(int(row[c]) for c in columns)) for row in csv.DictReader(stream)]
    return [one for one in images if one.lesion + one.predicted]


def bounded(run: Path, images: Sequence[Image]) -> list[Image]:
    """``images`` with their bounds, from the dataset of the run."""
    config = configs.with_absolute_paths(configs.completed(stored_config.load_run(run)))
    if config.eval.resolution == "network":  # it is scored at its own size
        return list(images)
    dataset, spec = datasets.open_dataset(config.dataset), InputSpec.of(config.dataset)
    place = {name: i for i, name in enumerate(dataset.ids)}
    return [
        dataclasses.replace(one, bounds=bounds(dataset.load(place[one.id]).label, spec))
        if one.lesion
        else one
        for one in images
    ]


def bounds(label: np.ndarray, spec: InputSpec) -> tuple[float, float]:
    """Dice of a truth with what is left of it at the network's size: as labels, and as shares of pixels."""
    truth = ((label > 0) & (label != IGNORED)).astype(np.uint8)
    where = spec.geometry(truth.shape)
    shares, _ = dataclasses.replace(spec, normalize="unit").image(255 * truth[..., None])
    back = [restore(small, where)[..., 0] >= 0.5 for small in (spec.label(truth)[..., None], shares)]
    first, second = (float(2 * (one & (truth > 0)).sum() / (one.sum() + truth.sum())) for one in back)
    return first, second


def lost(images: Sequence[Image]) -> Table:
    """Where 1 - mean Dice goes: rows that add up to it."""
    lesions = [one for one in images if one.lesion]
    found = [one for one in lesions if one.found]
    too_many = [one for one in found if one.predicted > one.overlap]
    too_few = [one for one in found if one.lesion > one.overlap]
    parts = {
        "lesions missed (Dice 0)": [1.0 for one in lesions if not one.found],
        "false alarms (no lesion, Dice 0)": [1.0 for one in images if not one.lesion],
        "lesions found, pixels too many": [
            (o.predicted - o.overlap) / (o.lesion + o.predicted) for o in too_many
        ],
        "lesions found, pixels too few": [(o.lesion - o.overlap) / (o.lesion + o.predicted) for o in too_few],
        "all": [1 - one.dice for one in images],
    }
    rows = [
        [name, str(len(part)), f"{len(part) / len(images):.1%}", f"{sum(part) / len(images):.3f}"]
        for name, part in parts.items()
    ]
    return [["what", "images", "share", "Dice lost"], *rows]


def by_size(images: Sequence[Image]) -> Table:
    """A row for each third of the lesions, the small ones first."""
    lesions = sorted((one for one in images if one.lesion), key=lambda one: one.lesion)
    rows = []
    for name, index in zip(
        ("small", "middle", "large"), np.array_split(np.arange(len(lesions)), 3), strict=True
    ):
        if part := [lesions[i] for i in index]:
            found = [one for one in part if one.found]
            missed = len(part) - len(found)
            rows.append(
                [
                    f"{name}: {part[0].lesion:,} to {part[-1].lesion:,} pixels",
                    str(len(part)),
                    mean([one.dice for one in part]),
                    f"{missed} ({missed / len(part):.1%})",
                    mean([one.dice for one in found]),
                    mean([one.bounds[0] for one in part]),
                    mean([one.bounds[1] for one in part]),
                ]
            )
    return [["lesions", "images", "Dice", "missed", "Dice if found", "bound, labels", "bound, shares"], *rows]


def around(images: Sequence[Image], training: Sequence[Image], epochs: Sequence[str]) -> Table:
    """Figures between which the Dice lies."""
    lesions = [one for one in images if one.lesion]
    rows = [
        ["test images", mean([one.dice for one in images])],
        [
            "the same without missed lesions",
            mean([one.dice for one in images if one.found or not one.lesion]),
        ],
        ["the same without false alarms too", mean([one.dice for one in images if one.found])],
        ["truth at the network's size, labels", mean([one.bounds[0] for one in lesions])],
        ["truth at the network's size, shares", mean([one.bounds[1] for one in lesions])],
        ["training images", mean([one.dice for one in training])],
        ["epochs kept", ", ".join(epochs) or "-"],
    ]
    return [["bound", "Dice"], *rows]


def mean(values: Sequence[float]) -> str:
    """The mean of what is known, or a dash."""
    known = [value for value in values if value == value]
    return f"{np.mean(known):.3f}" if known else "-"


def kept(run: Path) -> Iterator[str]:
    """``38 of 40``: the epoch of the best network; at the end of many runs, longer training may help."""
    status = json.loads((run / "status.json").read_text(encoding="utf-8"))
    if epoch := (status.get("best") or {}).get("epoch"):
        yield f"{epoch} of {status.get('epochs')}"


def report(runs: Sequence[Path], *, data: bool = True) -> str:
    """The three tables of some runs together."""
    images: list[Image] = []
    for run in runs:
        ours = scored(run, "test")
        images += bounded(run, ours) if data else ours
    if not images:
        raise SystemExit(f"no image of {', '.join(map(str, runs))} has a Dice: `dmf eval RUN` scores them")
    training = [one for run in runs for one in scored(run, "train")]
    epochs = [text for run in runs for text in kept(run)]
    tables = {
        "Where the Dice is lost": lost(images),
        "By size of the lesion": by_size(images),
        "Bounds": around(images, training, epochs),
    }
    lines = [f"# What limits the Dice: {len(runs)} run(s), {len(images)} scored images"]
    for heading, (head, *rows) in tables.items():
        lines += ["", f"## {heading}", "", markdown_row(head), "|" + " --- |" * len(head)]
        lines += map(markdown_row, rows)
    if not training:
        lines += ["", "`dmf eval RUN split=train` adds the Dice of the training images."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--no-data", action="store_true", help="without the bounds that need the masks")
    given = parser.parse_args()
    runs, _ = loading.find(given.paths)
    print(report(runs, data=not given.no_data))


if __name__ == "__main__":
    main()
