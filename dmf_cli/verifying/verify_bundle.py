"""``dmf verify BUNDLE.zip``: each file is what the manifest says, and each run repeats that can."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dmf_cli import datasets
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, DatasetError, RunFolderError
from dmf_cli.run_folder import run_plugins, stored_config
from dmf_cli.verifying import unpack
from dmf_cli.verifying.differences import Mismatch
from dmf_cli.verifying.verify import TOLERANCE, Verification, recorded_config, verify


@dataclasses.dataclass(frozen=True)
class BundleVerification:
    """Whether an archive is whole, and whether its runs repeat.

    Args:
        path: of the archive.
        files: how many were compared with the manifest.
        difference: the first file that differs; None: none does. No run is trained again if one does.
        runs: those that were trained again, up to the first that differs.
        skipped: ``NAME: why`` for each that was not.
    """

    path: Path
    files: int
    difference: Mismatch | None
    runs: tuple[Verification, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether no difference was found."""
        return self.difference is None and all(one.equal for one in self.runs)


def verify_bundle(
    path: Path,
    words: Sequence[str] = (),
    steps: int | None = None,
    *,
    tolerance: float = TOLERANCE,
    hashes_only: bool = False,
    trust: bool = False,
) -> BundleVerification:
    """Compare the archive with its manifest, then train its runs again, each that can be.

    Args:
        path: of the archive.
        words: places of the images, as in ``dmf resume``.
        steps: only the first ones of each run.
        tolerance: see :func:`~dmf_cli.verifying.verify.verify`.
        hashes_only: train nothing.
        trust: whether plugins in the archive may be run.

    Raises:
        RunFolderError: it is no such archive.
        UsageError: images that ``words`` name cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="dmf-bundle-") as folder:
        held = unpack.unpack(path, Path(folder))
        found = BundleVerification(path, held.files, held.difference)
        if held.difference or hashes_only:
            return found
        done, skipped, refused = list[Verification](), list[str](), list[ConfigError]()
        for name, run in held.runs.items():
            run_plugins.use(run, stored_config.load_run(run), trust=trust)
            known = held.weights.get(name)
            try:
                config = _with_images(run, words)
                one = verify(run, config, steps, tolerance=tolerance, weights=known, shown=name)
            except (RunFolderError, ConfigError) as error:
                skipped.append(f"{name}: {error.reason or error}")
                refused += [error] if isinstance(error, ConfigError) else []
                continue
            done.append(dataclasses.replace(one, path=Path(name)))
            if not one.equal:
                break
        if refused and not done:
            raise refused[0]  # words or options that suit no run
    return dataclasses.replace(found, runs=tuple(done), skipped=tuple(skipped))


def _with_images(run: Path, words: Sequence[str]) -> Config:
    """The config of a run, whose images are here.

    Raises:
        RunFolderError: it cannot be trained again.
        ConfigError: ``words`` do not suit it.
        DatasetError: the images that ``words`` name cannot be used.
    """
    config = recorded_config(run, words)
    try:
        datasets.check_place(config.dataset)
    except DatasetError:
        if words:
            raise
        reason = "its images are not here; give dataset.dir=PATH to train it again"
        raise RunFolderError(path=run, reason=reason) from None
    return config
