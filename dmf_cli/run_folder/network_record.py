"""Which file is the best network of a run: its hash in ``status.json``, from before it is in its place.

The file is replaced in every epoch that improves, and a kill may come between the note and the
replacement, so ``network`` of the status names both: the new file and the one that it replaces.
"""

import logging
from pathlib import Path

from dmf_cli import hashes
from dmf_cli.errors import CheckpointError
from dmf_cli.run_folder import places
from dmf_cli.run_folder.folder import RunFolder

log = logging.getLogger("dmf")
KEY = "network"
SHOWN = 12  # digits of a hash in a message


def write(run: RunFolder, file: Path, content: str | None = None) -> str:
    """Record that the content of ``file`` is about to be the best network of the run that is trained here.

    Args:
        run: the run.
        file: where it is by now.
        content: its hash, if that is known.

    Returns:
        Its hash.
    """
    before = [hashes.of_file(run.best_model)] if run.best_model.is_file() else []
    now = content or hashes.of_file(file)
    run.write_status("running", **{KEY: [now, *before]})
    return now


def run_of(file: Path) -> RunFolder | None:
    """The run whose best network ``file`` is; None of a file by itself."""
    folder = file.absolute().parent.parent
    run = RunFolder(folder)
    return run if file.absolute() == run.best_model.absolute() and places.is_run(folder) else None


def recorded(run: RunFolder) -> list[str]:
    """Hashes that the best network may have; none of a run of an earlier version, or without a network."""
    known = run.read_status().get(KEY)
    return [one for one in known if isinstance(one, str)] if isinstance(known, list) else []


def check(run: RunFolder, file: Path | None = None, content: str | None = None) -> str:
    """The hash of the best network, or of ``file`` in its place, which is one that the run wrote.

    ``content``: the hash, if it is known.

    Raises:
        CheckpointError: it was changed or replaced since.
    """
    # The file first: what takes its place meanwhile is in the status before it is there.
    file = file or run.best_model
    now, known = content or hashes.of_file(file), recorded(run)
    if not known and run.status_file.exists() and not run.read_status():
        log.warning("%s is damaged: whether %s is the run's own is not known", run.status_file, file.name)
    if known and now not in known:
        raise CheckpointError(
            path=file,
            reason=f"is not the network that the run wrote (hash {now[:SHOWN]}, written {known[0][:SHOWN]})",
            hint="put the run's own back, or train the run again",
        )
    return now
