"""``dmf train`` under Hydra itself: sweepers of others, configs of another name, ``--info`` and the like.

Everything else is composed by dmf, which then needs neither Hydra's folders nor its logging.
"""

import os
from collections.abc import Callable
from typing import Any

from dmf_cli import conf_files, machine
from dmf_cli.config import composer, messages, source
from dmf_cli.terminal.failure import report
from dmf_cli.terminal.say import say

Failures = list[Exception]


def run(options: Any) -> int:
    """What ``@hydra.main`` does with these options of the command line; returns the exit code."""
    from hydra import version
    from hydra._internal.utils import _run_hydra, get_args_parser

    version.setbase("1.3")
    source.register()
    failures: Failures = []
    task, words = _task(failures, bool(options.multirun)), list(options.overrides)
    try:
        with machine.environment("HYDRA_FULL_ERROR", "1"):  # else Hydra lets no exception through
            _run_hydra(options, get_args_parser(), task, str(conf_files.conf_dir()), conf_files.ROOT_CONFIG)
    except BrokenPipeError:
        raise
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, words, composer.base(words)) from error
    if failures and not options.multirun:
        raise failures[0]
    if failures:
        say(f"error: {len(failures)} job(s) of the sweep failed, see above", error=True)
    return int(bool(failures))


def _task(failures: Failures, multirun: bool) -> Callable[[Any], None]:
    """The task function; it keeps failures, because Hydra would print its own lines about them."""
    home = os.getpid()

    def task(config: Any) -> None:
        from dmf_cli.jobs import child, share

        try:
            checked = composer.finish(config)
            if multirun:
                share.check(checked)
            child.run(checked, None)
        except Exception as error:
            if os.getpid() != home:  # a launcher's worker: only an exception shows it that the job failed
                raise
            failures.append(error)
            if multirun:
                _report(error)

    task.__module__ = "dmf_cli.cli.train"  # Hydra calls the job by the end of it
    return task


def _report(error: Exception) -> int:
    from hydra.core.hydra_config import HydraConfig

    overrides = HydraConfig.get().overrides.task
    return report(error, prefix=f"job {HydraConfig.get().job.num} ({' '.join(overrides)}): ")
