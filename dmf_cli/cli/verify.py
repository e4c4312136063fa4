"""``dmf verify``: prove that a run repeats, or name the first thing in which it does not."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dmf_cli.cli._parser import Parser, add_run
from dmf_cli.terminal.say import say

if TYPE_CHECKING:
    from dmf_cli.verifying.verify import Verification

_ABOUT = """\
Trains a completed run again from its own config, in a temporary folder, and compares: the images and their
split, each value of steps.csv and epochs.csv, the weights of the best network, the scores of each
image. The run itself is only read. On a CPU with the same versions nothing may differ, not even a bit;
elsewhere numbers may differ by --tolerance.

An archive of dmf bundle is compared with its manifest first. Then its runs are trained again, each whose
images are there (--hashes: none).

Exit codes: 0 equal, 1 different (the first difference is named), 2 it cannot be verified.

examples:
  dmf verify outputs/busi
  dmf verify outputs/busi --steps 50                  its first 50 steps only
  dmf verify outputs/busi dataset.dir=/data/busi      images that were moved
  dmf verify paper.zip dataset.dir=/data/busi         an archive
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf verify RUN|BUNDLE.zip [--steps N] [--tolerance X] [KEY=VALUE ...]``."""
    parser = Parser(prog="dmf verify", description=_ABOUT)
    add_run(parser, "new places: dataset.dir, dataset.table, dataset.data_dir, split.file")
    parser.add_argument(
        "--steps", metavar="N", type=int, help="train the first N steps only, and score nothing"
    )
    text = "by which numbers may differ where the machine or a version is another one (default: 0.01)"
    parser.add_argument("--tolerance", metavar="X", type=float, default=0.01, help=text)
    parser.add_argument("--hashes", action="store_true", help="of an archive, look at the hashes only")
    options = parser.parse_intermixed_args(list(arguments))
    if options.run.is_file():
        return _archive(options)
    from dmf_cli.run_folder import run_plugins, stored_config
    from dmf_cli.verifying import verify

    run_plugins.use(options.run, stored_config.load_run(options.run), trust=options.trust)
    config = verify.recorded_config(options.run, options.overrides)
    return _told(verify.verify(options.run, config, options.steps, tolerance=options.tolerance))


def _archive(options: argparse.Namespace) -> int:
    from dmf_cli.verifying.verify_bundle import verify_bundle

    only = {"tolerance": options.tolerance, "hashes_only": options.hashes, "trust": options.trust}
    found = verify_bundle(options.run, options.overrides, options.steps, **only)
    for one in found.runs:
        _told(one)
    if found.difference is not None:
        say(f"different {found.path}: {found.difference}")
        return 1
    say(f"equal     {found.files} files have the hashes of the manifest")
    say(*(f"not again {why}" for why in found.skipped))
    return 0 if found.equal else 1


def _told(found: "Verification") -> int:
    how = "bitwise" if found.bitwise else f"within {found.tolerance:g}"
    say("", f"compared  {', '.join(found.compared)}")
    if found.changed:
        say(f"changed   {'; '.join(found.changed)}")
    if found.difference is None:
        say(f"equal     {found.path} repeats, {how}")
        return 0
    say(f"different {found.path}: {found.difference}")
    return 1
