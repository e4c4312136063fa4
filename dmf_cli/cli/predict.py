"""``dmf predict``: masks for images that belong to no dataset."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli import _progress
from dmf_cli.cli._parser import Parser

_ABOUT = """\
Predicts masks with the best network of a run: PNG masks at each image's own size, overlays, and a CSV of
areas. Files that cannot be read are listed and left out; so are masks beside their images (X_mask.png,
X_mask_1.png) in a folder. An interruption keeps what is written.

examples:
  dmf predict outputs/busi photos/            into outputs/busi/predictions/photos
  dmf predict outputs/busi PATH/benign --exclude '*_overlay*'
  dmf predict outputs/busi a.png b.png -o out --probabilities --threshold 0.4
  dmf predict outputs/busi photos/ --spacing 0.08,0.08     areas in mm2 too
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf predict RUN PATHS... [-o DIR] [--probabilities] [--threshold P]``."""
    parser = Parser(prog="dmf predict", description=_ABOUT)
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of the run")
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="images, or folders that hold some"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="default: RUN/predictions/NAME of the path"
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="probabilities as 16-bit PNG too, 65535 being 1"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="default: that of the run (metrics.threshold)"
    )
    parser.add_argument(
        "--spacing",
        type=_spacing,
        metavar="H,W",
        help="millimetres per pixel, for areas in mm2; default: that of the run (dataset.spacing)",
    )
    parser.add_argument("--exclude", metavar="GLOB", help="file names that are no images to predict")
    options = parser.parse_args(list(arguments))
    from dmf_cli import config as configs

    config = configs.load_run(options.run)
    output = options.output or options.run / "predictions" / options.paths[0].absolute().stem
    from dmf_cli.training import masks

    jobs = masks.find(
        options.paths, output, options.exclude
    )  # a wrong path is told before anything slow is imported
    from dmf_cli.training import score

    predict, settings = score.prediction(options.run, config, options.threshold)
    if options.spacing:
        settings["spacing"] = options.spacing
    start = time.monotonic()
    with _progress.count("predicting", len(jobs)) as advance:
        more = {"probabilities": options.probabilities, "progress": advance}
        skipped = masks.predict_files(predict, jobs, output, **{**settings, **more})
    seconds, done = time.monotonic() - start, len(jobs) - len(skipped)
    for line in skipped:
        print(f"warning: left out: {line}", file=sys.stderr)
    print(f"{done} of {len(jobs)} images, written to {output} ({done / max(seconds, 1e-9):.1f} images/s)")
    return 0


def _spacing(text: str) -> tuple[float, float]:
    try:
        height, width = (float(side) for side in text.split(","))
        if 0 < height < float("inf") and 0 < width < float("inf"):
            return height, width
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r}: give millimetres per pixel, row and column, as 0.08,0.08")
