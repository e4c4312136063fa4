"""``dmf verify``: does a run repeat? It is trained again elsewhere, and only read itself."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import bounded, hashes, hints, machine
from dmf_cli.config import moving
from dmf_cli.config.typed import Config
from dmf_cli.datasets.splits.division import read_split
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.inference import network_weights
from dmf_cli.run_folder import index, moved, network_record, stored_config
from dmf_cli.run_folder.csv_log import Columns
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.terminal.formats import count
from dmf_cli.verifying import conditions, differences
from dmf_cli.verifying.differences import Mismatch
from dmf_cli.verifying.rerun import Rerun, rerun

TOLERANCE = 0.01  # of losses, weights and scores where the machine or a version is another one
SCORES = "test_per_image.csv"


@dataclasses.dataclass(frozen=True)
class Verification:
    """Whether a run repeats.

    Args:
        path: of the run.
        compared: what was compared, for people: ``54 steps``, ``scores of 12 images``, ...
        difference: the first that was found; None: it repeats.
        bitwise: whether nothing was allowed to differ.
        tolerance: by which numbers were allowed to differ; 0 where ``bitwise``.
        changed: versions and facts of the machine that are not those of the run.
    """

    path: Path
    compared: tuple[str, ...]
    difference: Mismatch | None
    bitwise: bool
    tolerance: float
    changed: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether no difference was found."""
        return self.difference is None


def recorded_config(path: Path, words: Sequence[str] = ()) -> Config:
    """The config of the run in ``path``, which can be trained again, with the places that ``words`` give.

    The plugins of the run have to be known.

    Raises:
        RunFolderError: no run, one that is at work, or one that cannot be repeated from its folder.
        ConfigError: another key, or a wrong value.
    """
    stored = stored_config.load_checked(path)
    entry = index.read(path)
    if entry.state == "running":
        raise RunFolderError(path=path, reason="is still running", hint="verify it when it has ended")
    if entry.status.get("parent"):
        reason = "extends another run, so its config alone does not repeat it"
        raise RunFolderError(path=path, reason=reason, hint="verify the run that it extends")
    used = moving.resumed(stored, words) or stored
    file, own = used.split.file, path / "split.json"
    if file and not Path(file).expanduser().is_file() and own.is_file():
        used = used.changed("split", file=str(own.absolute()))
    return used


def verify(
    path: Path,
    config: Config,
    steps: int | None = None,
    *,
    tolerance: float = TOLERANCE,
    weights: str | None = None,
    shown: str | None = None,
) -> Verification:
    """Train the run in ``path`` again and compare; it is not changed.

    Args:
        path: of the run, whose plugins are known.
        config: of :func:`recorded_config`.
        steps: only the first ones; None: the whole run.
        tolerance: where it cannot be bitwise; absolute up to 1, relative above.
        weights: hash of the weights of its best network, of a run without its checkpoints.
        shown: what the run is called while it trains; None: its path.

    Raises:
        UsageError: the run is not complete, has fewer steps, or its images cannot be used.
        RunError: the training failed.
    """
    run = RunFolder(path)
    recorded = run.read_steps()
    _check_length(run, len(recorded.get("step", ())), steps)
    moved.check_place(run, config, "verify")
    if changed := _changed_network(run):
        return Verification(path, ("the file of the best network",), changed, True, 0.0)
    if weights and (there := _weights(run)) and (changed := _of_weights(weights, there)):
        return Verification(path, ("the weights in the file of the best network",), changed, True, 0.0)
    if run.split_file.is_file():
        read_split(run.split_file)  # its form, before anything is trained
    alike = machine.on_processors(run.processors)
    with tempfile.TemporaryDirectory(prefix="dmf-verify-") as folder, alike:
        again = rerun(config, Path(folder) / "run", steps, shown or str(path))
        met = conditions.compared(_json(run.environment_file), again.environment)
        allowed = 0.0 if met.bitwise else tolerance
        compared, difference = _compare(run, again, steps, allowed, weights)
    return Verification(path, compared, difference, met.bitwise, allowed, met.changed)


def _check_length(run: RunFolder, there: int, steps: int | None) -> None:
    entry = index.read(run.path)
    undone = entry.status.get("rollback")
    if isinstance(undone, dict):
        if steps is None and undone.get("step"):
            reason = "was rolled back into an epoch, to a checkpoint whose moment the clock chose"
            hint = "verify the steps before it with --steps"
            raise RunFolderError(path=run.path, reason=reason, hint=hint)
        if steps is not None:
            there = min(there, _before_rollback(run, undone))
    if steps is None and entry.state != "completed":
        hint = f"verify its first steps with --steps, or `{hints.command('resume', run.path)}` it first"
        raise RunFolderError(path=run.path, reason=f"{entry.said}, not completed", hint=hint)
    if steps is not None and not 1 <= steps <= there:
        few = f"whole numbers from 1 to {there}, the steps that {run.path} has" if there else "no --steps"
        raise ConfigError(key="--steps", value=steps, allowed=few)


def _before_rollback(run: RunFolder, undone: Mapping[str, Any]) -> int:
    """Steps that a run made before those that its rollback undid: only they repeat without it."""
    whole: int = sum(epoch <= undone.get("epoch", 0) for epoch in run.read_steps().get("epoch", ()))
    return whole + int(undone.get("step") or 0)


def _changed_network(run: RunFolder) -> Mismatch | None:
    """The file of the best network, if it is not the one that the run wrote."""
    known = network_record.recorded(run)
    if not known or not run.best_model.is_file():
        return None
    now = hashes.of_file(run.best_model)
    if now in known:
        return None
    return Mismatch("file", "checkpoints/best.keras", "its SHA-256", known[0], now)


def _compare(
    run: RunFolder, again: Rerun, steps: int | None, tolerance: float, weights: str | None
) -> tuple[tuple[str, ...], Mismatch | None]:
    """What was compared, up to the first difference."""
    other, compared = again.run, list[str]()

    def look(what: str, difference: Mismatch | None) -> Mismatch | None:
        compared.append(what)
        return difference

    recorded, theirs = run.read_steps(), other.read_steps()
    rows = _longest("step", recorded, theirs) if steps is None else steps
    found = look("the split", differences.of_split(_json(run.split_file), _json(other.split_file)))
    found = found or look(count(rows, "step"), differences.of_rows("step", recorded, theirs, tolerance, rows))
    epochs, later = run.read_epochs(), other.read_epochs()
    done = _longest("epoch", epochs, later)
    if steps is not None:
        done = min(done, sum(step <= rows for step in later.get("step", ())))
    if done:
        found = found or look(
            count(done, "epoch"), differences.of_rows("epoch", epochs, later, tolerance, done)
        )
    if steps is not None:
        return tuple(compared), found
    if not tolerance and not found and (known := weights or _weights(run)):
        found = look(
            "the weights of the best network", _of_weights(known, network_weights.digest(other.best_model))
        )
    scores = run.metrics / SCORES
    if not found and not scores.is_file():
        found = look("the scores", Mismatch("file", f"metrics/{SCORES}", "", differences.ABSENT, "there"))
    elif not found:
        images = differences.count_scores(scores)
        found = look(
            f"the scores of {count(images, 'image')}",
            differences.of_scores(scores, other.metrics / SCORES, tolerance),
        )
    return tuple(compared), found


def _longest(column: str, *tables: Columns) -> int:
    """Rows of the longest: one that was cut does not say how much is compared."""
    return max(len(table.get(column, ())) for table in tables)


def _of_weights(recorded: str, again: str) -> Mismatch | None:
    same = recorded == again
    return None if same else Mismatch("weights", "of the best network", "SHA-256", recorded, again)


def _weights(run: RunFolder) -> str | None:
    return network_weights.digest(run.best_model) if run.best_model.is_file() else None


def _json(file: Path) -> dict[str, Any]:
    """What a file of a run says; a run of an earlier version may lack it."""
    try:
        found = bounded.read_json(file, most=bounded.MOST)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RunFolderError(path=file, reason=f"cannot be read ({error})", hint="copy it again") from None
    return found if isinstance(found, dict) else {}
