"""``dmf train``: compose the config with Hydra, check it, hand it to the trainer."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from dmf_cli import __version__
from dmf_cli.cli._experiment import note_left_out
from dmf_cli.cli._parser import own_configs, wrong_arguments
from dmf_cli.errors import UsageError

Failures = list[Exception]


def run(arguments: Sequence[str]) -> int:
    """``dmf train ARGUMENTS``: Hydra overrides and Hydra's own options."""
    options, overrides = parse(arguments)
    composed = [*overrides, *own_configs(options.config_dir)]
    if options.help:
        from dmf_cli.cli import _train_help

        print(_train_help.text(composed), end="")
        return 0
    if not _is_hydras(options):
        note_left_out(composed)
    if (options.multirun or options.dry_run) and not (options.cfg or _is_hydras(options)):
        from dmf_cli.cli import _sweep

        return _sweep.run(composed, dry=options.dry_run, multirun=options.multirun)
    if options.cfg:
        _check_first(composed, options)
    elif not (options.multirun or _is_hydras(options)):
        from dmf_cli.cli import _sweep

        _sweep.note_sweep(composed)
    flags = _without(arguments, overrides)
    failures: Failures = []
    _hydra([*flags, *overrides], failures, multirun=options.multirun)
    return _outcome(failures, options.multirun)


def parse(arguments: Sequence[str]) -> tuple[Any, list[str]]:
    """Hydra's options and the overrides, which may stand in any order.

    Raises:
        UsageError: for an option that Hydra does not have (closest match).
    """
    from hydra._internal.utils import get_args_parser

    if "--version" in arguments:
        print(f"dmf {__version__}")
        raise SystemExit(0)
    parser = get_args_parser()
    parser.prog = "dmf train"
    parser.add_argument("--dry-run", action="store_true")

    def fail(message: str) -> None:
        _check_dashes(message)
        raise wrong_arguments(parser, message)

    parser.error = fail  # type: ignore[method-assign, assignment]
    options = parser.parse_intermixed_args(list(arguments))
    if options.dry_run and options.cfg:
        raise UsageError("--dry-run and --cfg exclude each other; see dmf train --help")
    if options.resolve and not (options.cfg or options.help):
        raise UsageError("--resolve works with --cfg or --help only; see dmf train --help")
    return options, list(options.overrides)


def _check_dashes(message: str) -> None:
    """``--loss dice`` is what other programs want."""
    from dmf_cli import conf_files

    unknown = re.search(r"unrecognized arguments: --([\w.]+)", message)
    if unknown and unknown[1].partition(".")[0] in (*conf_files.groups(), "seed", "run_dir", "output_root"):
        raise UsageError(
            f"--{unknown[1]} is no option: settings are written without dashes, as {unknown[1]}=VALUE; "
            "see dmf train --help"
        )


def _without(arguments: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """Hydra's own parser wants options and overrides apart: what is left without ``overrides``."""
    left = list(arguments)
    for override in overrides:
        left.remove(override)
    return left


def _is_hydras(options: Any) -> bool:
    """Sweeps that Hydra runs by itself: with another sweeper than its own, or another config than ours."""
    sweeper = any(override.startswith("hydra/sweeper") for override in options.overrides)
    return bool(sweeper or options.config_path or options.config_name)


def _check_first(overrides: list[str], options: Any) -> None:
    """What Hydra would print as a traceback (``--cfg``)."""
    from dmf_cli.config import composer

    if not (options.config_path or options.config_name):  # another config: Hydra finds it
        composer.finish(composer.compose_raw(overrides), overrides, missing=True)


def _hydra(arguments: list[str], failures: Failures, *, multirun: bool) -> None:
    """``@hydra.main`` on ``arguments``, with its errors as ours."""
    import hydra

    from dmf_cli import conf_files
    from dmf_cli.config import composer, messages, source

    source.register()
    app = hydra.main(
        config_path=str(conf_files.conf_dir()), config_name=conf_files.ROOT_CONFIG, version_base="1.3"
    )
    task = _task(failures, multirun)
    try:
        with _as_hydra_wants(arguments):
            app(task)()
    except BrokenPipeError:
        raise
    except messages.COMPOSE_ERRORS as error:
        overrides = [word for word in arguments if not word.startswith("-")]
        raise messages.explain(error, overrides, composer.base(overrides)) from error


def _task(failures: Failures, multirun: bool) -> Any:
    """The task function; it keeps failures, because Hydra would print its own lines about them."""
    home = os.getpid()

    def task(config: Any) -> None:
        try:
            _train(config)
        except Exception as error:
            if os.getpid() != home:  # a launcher's worker: only an exception tells it that the job failed
                raise
            failures.append(error)
            if multirun:
                _report(error)

    return task


def _train(config: Any) -> None:
    from dmf_cli.config import composer

    checked = composer.finish(config)
    from dmf_cli.training import trainer

    trainer.train(checked)


def _report(error: Exception) -> int:
    from hydra.core.hydra_config import HydraConfig

    from dmf_cli.terminal.failure import report

    overrides = HydraConfig.get().overrides.task
    return report(error, prefix=f"job {HydraConfig.get().job.num} ({' '.join(overrides)}): ")


def _outcome(failures: Failures, multirun: bool) -> int:
    """One run: its error. A sweep: the lines are out already; 1 says that a job failed."""
    if failures and not multirun:
        raise failures[0]
    if failures:
        print(f"error: {len(failures)} job(s) of the sweep failed, see above", file=sys.stderr)
    return 1 if failures else 0


@contextlib.contextmanager
def _as_hydra_wants(arguments: list[str]) -> Iterator[None]:
    """Hydra reads ``sys.argv``, and lets exceptions through only if HYDRA_FULL_ERROR says so."""
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = ["dmf train", *arguments], "1"
    try:
        yield
    finally:
        sys.argv = argv
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full
