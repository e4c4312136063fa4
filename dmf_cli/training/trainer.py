"""A run from its config to its results: ``train`` starts one, ``resume`` continues one in its own folder.

Nothing is written before config, data and model are known to be good.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import config as configs
from dmf_cli import hints, hosts
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.files import remove
from dmf_cli.run_folder import (
    config_hash,
    identity,
    moved,
    places,
    run_plugins,
    stored_config,
    weights,
)
from dmf_cli.run_folder.environment import environment
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.terminal.run_display import Display
from dmf_cli.training import trackers
from dmf_cli.training.session import Session


@hosts.left_on_error()
def train(config: Config, plan: Mapping[str, Any] | None = None) -> Path:
    """Train, evaluate and plot the run of ``config``, as it was composed; returns its folder.

    Args:
        config: of the run.
        plan: what it follows, for its status: see ``dmf plan``.

    Raises:
        UsageError: something is wrong with config or data; nothing was written.
        RunError: training failed; the folder holds what was computed and the traceback.
    """
    if config.run_dir is not None:
        places.check_free(Path(config.run_dir))
    trackers.check(config)
    if config.model.weights:
        weights.weights_file(config.model.weights)  # before anything slow is imported or drawn
    session = Session(configs.with_absolute_paths(config), several_hosts=True)
    decided = config.changed("trainer", precision=session.config.trainer.precision)  # by a trial, if by any
    if hosts.number():
        return session.assist()
    run = RunFolder.claim(config.run_dir, root=config.output_root, slug=slug(config))
    try:
        run.write_config(configs.to_yaml(session.config))
        run_plugins.store(run.path, session.config)
        run.write_status(
            "running",
            id=identity.run_id(decided, session.data.dataset),
            config=config_hash.group_hashes(session.config.plain),
            auto=session.auto,
            **({"plan": dict(plan)} if plan else {}),
        )
        run.write_environment(environment(dataclasses.asdict(session.runtime)))
        session.save_split(run)
    except BaseException:
        run.abandon()  # nothing is computed yet
        raise
    return session.run(run, note=None)


@hosts.left_on_error()
def resume(path: Path | str, config: Config | None = None) -> Path:
    """Resume an interrupted or failed run in the same folder, from its last checkpoint.

    The result is the one that the run would have given without the interruption. A complete run gets the
    report that a kill prevented.

    Args:
        path: of the run.
        config: its config with other places (:mod:`dmf_cli.config.moving`), None for the stored one. The
            content of the images must be the same; the new places are stored.

    Raises:
        UsageError: the run is complete, its config was edited, or images or split are not the same.
    """
    run = RunFolder.open(path)
    status, stored = run.read_status(), stored_config.load_checked(run.path)
    if status.get("state") == "completed":
        if _late_report(run, stored):
            return run.path
        raise ConfigError(
            path=run.path,
            reason="is complete",
            hint=f"`{hints.command('extend', run.path, 'trainer.epochs=N')}` continues it in a new run, "
            f"`{hints.command('eval', run.path)}` scores it",
        )
    used = configs.with_absolute_paths(config or stored)
    moved.check_place(run, used, "resume")
    moved.check_split(run, stored, used)
    from dmf_cli.training.origin import Origin

    origin = Origin.of(status)
    session = Session(used, split_file=run.split_file, origin=origin, resumed=True, several_hosts=True)
    from dmf_cli.training import checkpoint  # Keras, after the session has chosen its backend

    if hosts.number():
        return session.assist(run)
    hosts.meet()  # the others have their copies
    run.hold()
    if run.read_status().get("state") == "completed":  # by another process, while this one was starting
        raise RunFolderError(path=run.path, reason="was completed by another process meanwhile")
    note = checkpoint.restore(run, session.model)
    if used.report:
        remove(run.report)  # it says how the run ended before
    if used != stored:
        run.write_config(configs.to_yaml(used))
    return session.run(run, note=note)


def slug(config: Config) -> str:
    """What a run is called in its folder's name: ``phantom_unet_cbdice+bce_var``."""
    parts = (config.dataset.name, config.model.name, config.loss.expression, config.weighting.name)
    return "_".join(parts)


def _late_report(run: RunFolder, config: Config) -> bool:
    """Write the report of a complete run, if it was to have one and was killed before; whether it has now."""
    if not config.report or run.report.exists():
        return False
    from dmf_cli import report

    Display().note(f"{run.path} is complete but for its report")
    with run.logging():
        report.after_run(run.path)
    return run.report.exists()
