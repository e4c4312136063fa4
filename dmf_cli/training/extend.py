"""``dmf extend``: a new run that begins where another one ended, and names it."""

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import config as configs
from dmf_cli.config import moving
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.files import TEMPORARY, replacing
from dmf_cli.hashes import digest
from dmf_cli.run_folder import (
    checkpoint_file,
    config_hash,
    identity,
    index,
    moved,
    network_record,
    places,
    run_plugins,
    stored_config,
)
from dmf_cli.run_folder.environment import environment
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training.origin import Origin
from dmf_cli.training.session import Session
from dmf_cli.training.trainer import slug

STILL = ("constant", "plateau")  # schedules that no length of the run is part of


def extension_config(parent: Path, words: Sequence[str], schedule: str | None = None) -> Config:
    """The config of the run ``parent`` with the ``KEY=VALUE`` that ``dmf extend`` takes.

    Args:
        parent: the run folder.
        words: ``trainer.epochs=N`` at least; the others may only say where things are.
        schedule: see :class:`~dmf_cli.training.origin.Origin`.

    Raises:
        UsageError: not a run, another key, a wrong value, no number of epochs, or an unknown ``schedule``.
    """
    if schedule not in (None, *moving.POLICIES):
        raise UnknownNameError("--schedule", schedule, moving.POLICIES)
    stored = stored_config.load_run(parent)
    allowed = ("trainer.epochs", "trainer.patience", "run_dir", "report", *moving.PLACES)
    otherwise = f"for other settings start a new run from its weights: dmf train model.weights={parent}"
    changed = moving.changed(stored.with_root(run_dir=None), words, allowed, otherwise)
    if not any(word.startswith("trainer.epochs=") for word in words):
        number = "the number that the run is to reach, as trainer.epochs=60"
        raise ConfigError(key="trainer.epochs", reason="is missing", allowed=number)
    return changed


def extend(parent: Path | str, config: Config, schedule: str | None = None) -> Path:
    """Train the run ``parent`` on, in a new folder; returns it.

    Args:
        parent: a run that is not at work.
        config: the parent's, with a greater ``trainer.epochs``, and with the places of the new run.
        schedule: see :class:`~dmf_cli.training.origin.Origin`; may be None where it makes no difference.

    Raises:
        ConfigError: no more epochs than the parent has, or a schedule that needs to be said.
        RunFolderError: the parent is at work.
        CheckpointError: its best network is not the one that it wrote.
        DatasetError: images or split are not those of the parent.
        RunError: as :func:`dmf_cli.training.trainer.train`.
    """
    begun = RunFolder.open(parent)
    _check_ended(begun)
    begun.hold(reading=True)  # until all of it is copied: who resumes it meanwhile would replace its files
    try:
        session, run, note = _begun(begun, config, schedule)
    finally:
        begun.release()
    return session.run(run, note=note)


def _begun(
    begun: RunFolder, config: Config, schedule: str | None
) -> tuple[Session, RunFolder, dict[str, Any]]:
    """The new run in its folder, with all that it has of the run ``begun``, and the note to continue with."""
    file, note, lost = checkpoint_file.newest(begun.last_checkpoint)
    best, content = begun.found_best(note)
    if best.is_file():
        content = network_record.check(begun, best, content)
    origin = _origin(begun, config, schedule, note["epoch"])
    used = configs.with_absolute_paths(config)
    if config.run_dir is not None:
        places.check_free(Path(config.run_dir))
    policy = ["--schedule", schedule] if schedule else []
    moved.check_place(begun, used, "extend", f"trainer.epochs={config.trainer.epochs}", *policy)
    moved.check_split(begun, stored_config.load_run(begun.path), used)
    # A run of its own: whatever the status of the parent says of its auto values is decided by now.
    session = Session(used, split_file=begun.split_file, origin=origin)
    from dmf_cli.training import checkpoint

    note = checkpoint.load(file, session.model)
    run = RunFolder.claim(config.run_dir, root=config.output_root, slug=slug(config))
    try:
        run.write_config(configs.to_yaml(session.config))
        run_plugins.store(run.path, session.config)
        run.write_status(
            "running",
            id=run_id(config, session.data.dataset, origin),
            config=config_hash.group_hashes(session.config.plain),
            auto=[],
            parent=dataclasses.asdict(origin),
        )
        run.write_environment(environment(dataclasses.asdict(session.runtime)))
        session.save_split(run)
        if best.is_file():
            network_record.write(run, best, content)
        # The checkpoint last: with it there is something to resume.
        _copy(begun, run, origin.epoch, {best: run.best_model, file: run.last_checkpoint})
    except BaseException:
        run.abandon()
        raise
    return session, run, {**going_on(note), "lost": lost}


def run_id(config: Config, dataset: Any, origin: Origin) -> str:
    """The id of an extended run: that of the same config in one go is another."""
    text = f"{identity.run_id(config, dataset)} {origin.id} {origin.epoch} {origin.schedule}"
    return digest(text)


def going_on(note: dict[str, Any]) -> dict[str, Any]:
    """The note of the parent's checkpoint; where it had stopped early, its patience begins anew."""
    counters = {name: dict(values) for name, values in note["callbacks"].items()}
    stopper = counters.get("EarlyStopping")
    if stopper and stopper.get("stopped_epoch"):
        stopper.update(wait=0, stopped_epoch=0)
    return {**note, "callbacks": counters}


def _check_ended(run: RunFolder) -> None:
    entry = index.read(run.path)
    if entry.state == "running":
        raise ConfigError(path=run.path, reason="is still running", hint="extend it when it has ended")
    if entry.state == "broken":
        raise ConfigError(path=run.path, reason="has no checkpoint", hint="start a new run with `dmf train`")


def _origin(run: RunFolder, config: Config, schedule: str | None, epoch: int) -> Origin:
    status, epochs = run.read_status(), config.trainer.epochs
    if not isinstance(epochs, int) or epochs <= epoch:
        raise ConfigError(
            key="trainer.epochs",
            value=epochs,
            reason=f"and {run.path} has {epoch} already",
            allowed=f"the whole number that the new run is to reach, as trainer.epochs={2 * epoch or 2}",
        )
    name = config.schedule.name
    if schedule is None and name not in STILL:
        raise ConfigError(
            f"schedule={name} depends on the length of the run",
            key="schedule",
            value=name,
            hint=f"add --schedule continue (as in one run of {epochs} epochs, from epoch {epoch + 1}) or "
            f"--schedule restart (anew over the {epochs - epoch} that are added)",
        )
    return Origin(
        path=str(run.path.absolute()),
        id=str(status.get("id", "")),
        epoch=epoch,
        epochs=int(status.get("epochs") or epoch),
        schedule="restart" if schedule == "restart" else "continue",
    )


def _copy(begun: RunFolder, run: RunFolder, epoch: int, others: Mapping[Path, Path]) -> None:
    """What the new run has of the old: rows, the best network so far, and the state to continue from."""
    pairs = [(begun.epochs_file, run.epochs_file), (begun.steps_file, run.steps_file)]
    pairs += [(begun.insight_file, run.insight_file), *others.items()]
    for old, new in pairs:
        if old.is_file():
            temporary = new.with_name(f".{new.name}{TEMPORARY}")
            with old.open("rb") as source, replacing(new, temporary) as copy:
                shutil.copyfileobj(source, copy)
    run.truncate_after(epoch)
