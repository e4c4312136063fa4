"""How fast a config is trained on this machine: a few steps of the run itself, in a folder that goes again.

It is the run's own code that is timed, from the opening of the images to the report, so that nothing is
forgotten: training steps, one whole validation with its checkpoints, and the scoring of a few test images.
"""

import dataclasses
import gc
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli import config as configs
from dmf_cli.config.typed import Config
from dmf_cli.machine import environment
from dmf_cli.planning.settings import Speed
from dmf_cli.run_folder.folder import RunFolder

if TYPE_CHECKING:
    from dmf_cli.training.trainer import Session

EPOCHS, STEPS = 3, 12  # that are timed, the steps of each epoch; the first of them compiles
SCORED = 6  # test images whose scores are timed
_imported = 0.0  # seconds: later measurements of this process find everything imported


class Watch:
    """Stands where the display of a run stands, and notes when its steps begin and its epochs end.

    It is made when the training begins.
    """

    def __init__(self) -> None:
        self.made = time.perf_counter()
        self.began: list[list[float]] = [[]]
        self.ended: list[float] = []
        self.memory = 0.0

    def batch(self, step: int, steps: int | None) -> None:
        """A step begins."""
        self.began[-1].append(time.perf_counter())

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch has ended, and its checkpoints are on disk."""
        self.ended.append(time.perf_counter())
        self.memory = max(self.memory, memory())
        self.began.append([])

    def read(self, steps: int) -> tuple[float, float, float]:
        """Seconds of a step, of an epoch beside its ``steps``, and of all compilation."""
        later = list(zip(self.began[1:], itertools.pairwise(self.ended), strict=False))
        gaps = [after - before for began, _ in later for before, after in itertools.pairwise(began)]
        step = statistics.median(gaps or [end - began[0] for began, (_, end) in later])
        rests = [end - start - (began[-1] - began[0]) - step for began, (start, end) in later]
        rest = max(0.0, min(rests))  # of an epoch that is not the best so far, as most are not
        return step, rest, max(0.0, self.ended[0] - self.made - steps * step - rest)


def measure(config: Config) -> Speed:
    """Train a few short epochs of ``config`` and score a few images; nothing of it is kept.

    Raises:
        UsageError: what ``dmf train`` would raise for this config.
    """
    imports = imported(config)
    import keras  # with the backend that the config chooses

    with tempfile.TemporaryDirectory(prefix="dmf-plan-") as folder, environment("DMF_DISPLAY", "quiet"):
        try:
            return _measured(config, Path(folder), imports)
        finally:
            keras.backend.clear_session()
            gc.collect()


def imported(config: Config) -> float:
    """Import the backend; the seconds that this has taken, as it does at the start of each run."""
    global _imported
    from dmf_cli import runtime

    began = time.perf_counter()
    runtime.start(config.trainer)
    import dmf_cli.training.trainer  # noqa: F401

    _imported = max(_imported, time.perf_counter() - began)
    return _imported


def _measured(config: Config, folder: Path, imports: float) -> Speed:
    from dmf_cli.training.trackers import Tracking
    from dmf_cli.training.trainer import Session

    began = time.perf_counter()
    config = config.with_root(run_dir=str(folder / "run")).with_group("tracker", {"name": "none"})
    session = Session(configs.with_absolute_paths(config))
    run = RunFolder.claim(folder / "run")
    run.write_config(configs.to_yaml(session.config))
    run.write_status("running", epochs=EPOCHS)
    session.save_split(run)
    start = time.perf_counter() - began
    session.steps = min(session.steps, STEPS)
    session.config = session.config.changed("trainer", epochs=EPOCHS)
    watch = Watch()
    with run.logging():
        session.fit(run, watch, None, Tracking(session.config, run))  # type: ignore[arg-type]
        end = _end(session, run)
    run.release()
    step, epoch, compiling = watch.read(session.steps)
    return Speed(imports, start, compiling, step, epoch, end, max(watch.memory, memory()))


def _end(session: "Session", run: RunFolder) -> float:
    """Scores, figures and report: of a few images, and what each of the others costs more."""
    whole = session.data.split.test
    # The first scoring imports what scores need, so the slope is that of the two after it.
    counts = [SCORED, SCORED, 3 * SCORED] if len(whole) > 3 * SCORED else [len(whole)]
    seconds = [_scored(session, run, whole[:count]) for count in counts]
    began = time.perf_counter()
    session.report(run)
    report = time.perf_counter() - began
    return report + _extended(counts, seconds, len(whole))


def _extended(counts: Sequence[int], seconds: Sequence[float], whole: int) -> float:
    """The line through what was measured."""
    if len(counts) == 1:
        return seconds[0]
    slope = max(0.0, (seconds[-1] - seconds[-2]) / (counts[-1] - counts[-2]))
    importing = max(0.0, seconds[0] - seconds[-2])  # each run imports once too
    return importing + seconds[-1] + slope * (whole - counts[-1])


def _scored(session: "Session", run: RunFolder, indices: tuple[int, ...]) -> float:
    split = dataclasses.replace(session.data.split, test=indices)
    session.data = dataclasses.replace(session.data, split=split)
    began = time.perf_counter()
    session.evaluate(run)
    return time.perf_counter() - began


def memory() -> float:
    """Bytes that this process has now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
