"""``dmf predict``: masks for images that belong to no dataset."""

import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dmf_cli.cli._parser import Parser, add_runs, runs_and_overrides
from dmf_cli.errors import UsageError
from dmf_cli.terminal import progress
from dmf_cli.terminal.say import say

if TYPE_CHECKING:
    from dmf_cli.config.typed import Config
    from dmf_cli.inference.predict_files import Outcome
    from dmf_cli.inference.prediction import Prediction

SHOWN = 10  # images unlike those of the training, and doubtful masks, that are named
DOUBTFUL = 0.7  # expected Dice below which a mask is
_ABOUT = """\
Predicts masks with the best network of a run: PNG masks at each image's own size, overlays, and a CSV of
areas with the Dice to expect of each mask. Files that cannot be read are listed and skipped; in a folder, so
are masks beside their images (X_mask.png, X_mask_1.png) and earlier results. An interruption keeps what is
written.

examples:
  dmf predict outputs/busi photos/            into outputs/busi/predictions/photos
  dmf predict outputs/busi PATH/benign --exclude '*_overlay*'
  dmf predict outputs/busi a.png b.png -o out --probabilities --threshold 0.4
  dmf predict outputs/busi photos/ --spacing 0.08,0.08     areas in mm2 too
  dmf predict outputs/busi photos/ predict.mirror=true --uncertainty
  dmf predict outputs/fold_* photos/          the mean of the networks of several runs
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf predict RUN [RUN ...] PATH... [-o DIR] [--probabilities] [--threshold P]``."""
    parser = Parser(prog="dmf predict", description=_ABOUT)
    add_runs(parser, "PATH", "images, or folders that hold some, and KEY=VALUE of predict")
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="default: RUN/predictions/NAME of the path"
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="probabilities as 16-bit PNG too, 65535 being 1"
    )
    parser.add_argument(
        "--uncertainty", action="store_true", help="maps of the uncertainty as 16-bit PNG too, 65535 being 1"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="default: that of the run (metrics.threshold)"
    )
    parser.add_argument(
        "--spacing",
        type=_spacing,
        metavar="H,W",
        help="millimetres per pixel, for areas in mm2; default: of the run (dataset.spacing) or of DICOM",
    )
    parser.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        help="larger images are skipped; default: that of the run (dataset.max_pixels)",
    )
    parser.add_argument("--exclude", metavar="GLOB", help="file names that are no images to predict")
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.run_folder import places

    words, overrides = runs_and_overrides(parser, options.words)
    runs = [words[0], *itertools.takewhile(places.is_run, words[1:])]
    paths = words[len(runs) :]
    if late := next(filter(places.is_run, paths), None):
        hint = f"give all runs first, then images; {paths[0]} is no run"
        raise UsageError(key="RUN", value=late, reason="is a run after the first path of images", hint=hint)
    config = _config(runs, overrides, trust=options.trust)
    if not paths:
        parser.error("the following arguments are required: PATH")
    output = options.output or runs[0] / "predictions" / paths[0].absolute().stem
    from dmf_cli.inference import find_files, predict_files

    # A wrong path is reported before anything slow is imported.
    jobs = find_files.find(paths, output, options.exclude)
    for line in find_files.passed_over(paths):
        say(f"note: {line}", error=True)
    from dmf_cli.inference import ensemble

    config = ensemble.for_images(config, options.threshold)
    predict, settings = ensemble.for_files(runs, config)
    if options.spacing:
        settings["spacing"] = options.spacing
    if options.max_pixels is not None:
        settings["prediction"] = _with_limit(settings["prediction"], options.max_pixels)
    start = time.monotonic()
    with progress.count("predicting", len(jobs)) as advance:
        more = {"probabilities": options.probabilities, "uncertain": options.uncertainty, "progress": advance}
        outcome = predict_files.predict_files(predict, jobs, output, **{**settings, **more})
    seconds, done = time.monotonic() - start, len(jobs) - len(outcome.skipped)
    for line in _remarks(outcome, done):
        say(f"warning: {line}", error=True)
    say(f"{done} of {len(jobs)} images, written to {output} ({done / max(seconds, 1e-9):.1f} images/s)")
    if outcome.empty:
        say(f"{outcome.empty} of {done} masks are empty")
    _show_doubtful(outcome)
    return 0


def _config(runs: Sequence[Path], overrides: Sequence[str], *, trust: bool) -> "Config":
    """How the first run makes masks, with ``overrides``; the plugins of all runs are known then."""
    from dmf_cli.inference.evaluation_config import prediction_config
    from dmf_cli.run_folder import run_plugins, stored_config

    for path in runs:
        run_plugins.use(path, stored_config.load_run(path), trust=trust)
    return prediction_config(runs[0], overrides)


def _show_doubtful(outcome: "Outcome") -> None:
    """The masks that somebody should look at first."""
    doubtful = outcome.doubtful(DOUBTFUL)
    if doubtful:
        count = "1 mask is" if len(doubtful) == 1 else f"{len(doubtful)} masks are"
        say(f"{count} doubtful (expected Dice below {DOUBTFUL}; areas.csv has all):")
    for file, dice in doubtful[:SHOWN]:
        say(f"  {dice:.2f}  {file}")


def _with_limit(prediction: "Prediction", max_pixels: int) -> "Prediction":
    """``prediction``, with images of more pixels refused."""
    reading = dataclasses.replace(prediction.spec.reading, max_pixels=max_pixels)
    return dataclasses.replace(prediction, spec=dataclasses.replace(prediction.spec, reading=reading))


def _remarks(outcome: "Outcome", done: int) -> Iterator[str]:
    """What the user should look at."""
    for error in outcome.skipped:
        yield f"skipped: {error}"
    for line in outcome.unlike[:SHOWN]:
        yield f"unlike the images of the training: {line}"
    if len(outcome.unlike) > SHOWN:
        yield f"{len(outcome.unlike)} of {done} images are unlike those of the training, the first are listed"


def _spacing(text: str) -> tuple[float, float]:
    try:
        height, width = (float(side) for side in text.split(","))
        if 0 < height < float("inf") and 0 < width < float("inf"):
            return height, width
    except ValueError:
        pass
    sides = "millimetres per pixel, row and column, as 0.08,0.08"
    raise UsageError(key="--spacing", value=text, allowed=sides)  # a ValueError would be argparse's own
