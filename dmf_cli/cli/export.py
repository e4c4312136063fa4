"""``dmf export``: the best network of a run for use elsewhere."""

import sys
from collections.abc import Sequence
from pathlib import Path

from dmf_cli.cli._parser import Parser, add_run
from dmf_cli.errors import UnknownNameError

FORMATS = ("keras", "onnx", "savedmodel")

_ABOUT = """\
Writes the best network of a run, in float32, and beside it a JSON file that says how to use it: size,
resizing and normalisation of the images, classes, threshold.

  keras        one file for keras.models.load_model; no dmf is needed
  onnx         one file for ONNX Runtime and others: pip install '.[export]'
  savedmodel   a folder for TensorFlow Serving, tf.saved_model.load and TFLite

examples:
  dmf export outputs/busi                       into outputs/busi/export/model.keras
  dmf export outputs/busi --format onnx
  dmf export outputs/busi -o lesions.onnx
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf export RUN [--format FORMAT] [-o PATH]``."""
    parser = Parser(prog="dmf export", description=_ABOUT)
    add_run(parser)
    parser.add_argument(
        "--format", metavar="FORMAT", help=f"{', '.join(FORMATS)}; default: that of PATH, else keras"
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", type=Path, help="what to make; default: in RUN/export"
    )
    options = parser.parse_args(list(arguments))
    kind = _format(options.format, options.output)
    from dmf_cli.inference import export
    from dmf_cli.run_folder import index, run_plugins, stored_config

    config = stored_config.load_run(options.run)
    run_plugins.use(options.run, config, trust=options.trust)
    output = options.output or export.place(options.run, kind)
    export.check(kind, output)
    note = export.export_run(options.run, config, kind, output)
    if note["state"] != "completed":
        said = index.read(options.run).said
        print(f"warning: the run {said}: this is its best network so far", file=sys.stderr)
    print(f"wrote {output}\nwrote {export.note_path(output)}")
    return 0


def _format(given: str | None, output: Path | None) -> str:
    """The format that was asked for, by name or by the suffix of ``output``."""
    if given is None:
        suffix = output.suffix.removeprefix(".") if output else ""
        return suffix if suffix in FORMATS else "keras"
    if given not in FORMATS:
        raise UnknownNameError("format", given, FORMATS)
    return given
