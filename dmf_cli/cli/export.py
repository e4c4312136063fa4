"""``dmf export``: the best network of a run for use elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser, add_runs, runs_and_overrides
from dmf_cli.errors import UnknownNameError
from dmf_cli.terminal.say import say

FORMATS = ("keras", "onnx", "savedmodel")

_ABOUT = """\
Writes the best network of a run, in float32, and beside it a JSON file that says how to use it: size,
resizing and normalisation of the images, classes, how probabilities become a mask. Mirrors, the mean over
several runs and a temperature are in the network itself.

  keras        one file for keras.models.load_model; no dmf is needed
  onnx         one file for ONNX Runtime and others: pip install '.[export]'
  savedmodel   a folder for TensorFlow Serving, tf.saved_model.load and TFLite

examples:
  dmf export outputs/busi                       into outputs/busi/export/model.keras
  dmf export outputs/busi --format onnx
  dmf export outputs/busi -o lesions.onnx
  dmf export outputs/busi predict.mirror=true   with the mirrors in the network
  dmf export outputs/fold_* -o folds.keras      one network whose output is the mean of all
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf export RUN [RUN ...] [KEY=VALUE ...] [--format FORMAT] [-o PATH]``."""
    parser = Parser(prog="dmf export", description=_ABOUT)
    add_runs(parser)
    parser.add_argument(
        "--format", metavar="FORMAT", help=f"{', '.join(FORMATS)}; default: that of PATH, else keras"
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", type=Path, help="what to make; default: in RUN/export of the first"
    )
    options = parser.parse_intermixed_args(list(arguments))
    runs, overrides = runs_and_overrides(parser, options.words)
    kind = _format(options.format, options.output)
    from dmf_cli.inference import export
    from dmf_cli.inference.evaluation_config import prediction_config
    from dmf_cli.run_folder import index, run_plugins, stored_config

    for path in runs:
        run_plugins.use(path, stored_config.load_run(path), trust=options.trust)
    config = prediction_config(runs[0], overrides)
    output = options.output or export.place(runs[0], kind)
    export.check(kind, output)
    export.export_runs(runs, config, kind, output)
    for entry in map(index.read, runs):
        if entry.state != "completed":
            which = "the run" if len(runs) == 1 else str(entry.path)
            say(f"warning: {which} {entry.said}: this is its best network so far", error=True)
    say(f"wrote {output}", f"wrote {export.note_path(output)}")
    return 0


def _format(given: str | None, output: Path | None) -> str:
    """The format that was asked for, by name or by the suffix of ``output``."""
    if given is None:
        suffix = output.suffix.removeprefix(".") if output else ""
        return suffix if suffix in FORMATS else "keras"
    if given not in FORMATS:
        raise UnknownNameError("format", given, FORMATS)
    return given
