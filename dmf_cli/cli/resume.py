"""``dmf resume``: resume an interrupted or failed run in its own folder."""

from collections.abc import Sequence

from dmf_cli.cli._parser import Parser, add_run

_ABOUT = """\
Resumes from the last checkpoint, inside an epoch or after it, in the same folder and with the same config;
the result is the one that the run would have given without the interruption. A complete run whose report a
kill prevented gets the report.

If images were moved, or the run was copied to another machine, say where they are now; their content must
be the same:
  dmf resume outputs/busi dataset.dir=/data/busi

A machine with fewer GPUs continues it too, with the same batches: trainer.devices=1.
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf resume RUN [KEY=VALUE ...]``."""
    parser = Parser(prog="dmf resume", description=_ABOUT)
    places = "dataset.dir, dataset.table, dataset.data_dir, split.file, output_root"
    add_run(parser, f"{places}, trainer.devices, trainer.hosts")
    options = parser.parse_args(list(arguments))
    from dmf_cli import machine
    from dmf_cli.config import moving
    from dmf_cli.run_folder import run_plugins, stored_config
    from dmf_cli.run_folder.folder import RunFolder

    # A wrong folder is reported before anything slow is imported.
    stored = stored_config.load_run(options.run)
    run_plugins.use(options.run, stored, trust=options.trust)
    used = moving.resumed(stored, options.overrides)
    from dmf_cli.training import trainer

    with machine.on_processors(RunFolder(options.run).processors):  # a sweep may have given it some of them
        trainer.resume(options.run, used)
    return 0
