"""Does a run repeat, and runs as one archive for others: ``dmf_cli.verify`` and ``dmf_cli.bundle``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.api import objects, process, words
from dmf_cli.api.run import Run

if TYPE_CHECKING:
    from dmf_cli.verifying.bundle import Bundle
    from dmf_cli.verifying.verify import Verification
    from dmf_cli.verifying.verify_bundle import BundleVerification


def verify(
    source: Run | str | Path,
    steps: int | None = None,
    *,
    tolerance: float = 0.01,
    hashes_only: bool = False,
    trust: bool = False,
    overrides: Sequence[str] = (),
    **places: Any,
) -> "Verification | BundleVerification":
    """Train a run again from its own config, elsewhere, and compare, as ``dmf verify``.

    Args:
        source: a complete run, its folder, or an archive of :func:`bundle`.
        steps: only the first ones; they may be those of a run that is not complete.
        tolerance: by which numbers may differ where the machine or a version is another one; absolute up to
            1, relative above.
        hashes_only: of an archive, train nothing.
        trust: whether code that the folder or the archive keeps may be run.
        overrides: words as on the command line.
        places: where things are now, such as ``**{"dataset.dir": ...}``.

    Returns:
        With ``equal``, and the first ``difference``; of an archive with ``runs`` and ``skipped`` too.

    Raises:
        UsageError: what cannot be verified, or images that cannot be used.
        RunError: the training failed.

    Example:
        >>> dmf_cli.verify("outputs/busi").equal
        True
    """
    from dmf_cli.run_folder import run_plugins, stored_config
    from dmf_cli.verifying import verify as runs
    from dmf_cli.verifying import verify_bundle

    path = source.path if isinstance(source, Run) else Path(source)
    asked = words.of(places, overrides)
    objects.known()
    with process.borrowed():
        if path.is_file():
            only = {"hashes_only": hashes_only, "trust": trust}
            return verify_bundle.verify_bundle(path, asked, steps, tolerance=tolerance, **only)
        run_plugins.use(path, stored_config.load_run(path), trust=trust)
        return runs.verify(path, runs.recorded_config(path, asked), steps, tolerance=tolerance)


def bundle(
    runs: Run | str | Path | Sequence[Run | str | Path], output: str | Path, *, weights: bool = False
) -> "Bundle":
    """Write one archive of runs for a paper, as ``dmf bundle``.

    Args:
        runs: runs, their folders, or folders that hold some; one or several.
        output: the zip archive, which must not exist.
        weights: take the best network of each run along.

    Raises:
        UsageError: no run, one that is at work or damaged, or ``output`` exists.

    Example:
        >>> dmf_cli.bundle("outputs/sweep", "paper.zip").files
        72
    """
    from dmf_cli.verifying import bundle as bundles

    several = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    paths = [one.path if isinstance(one, Run) else Path(one) for one in several]
    return bundles.write(paths, Path(output), weights=weights)
