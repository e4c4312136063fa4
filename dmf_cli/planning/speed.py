"""How fast a config is trained on this machine: a few steps of the run itself, in a folder that goes again.

It is the run's own code that is timed, from the opening of the images to the report, so that nothing is
forgotten: training steps, one whole validation with its checkpoints, and the scoring of a few test images.
"""

import dataclasses
import gc
import itertools
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli import config as configs
from dmf_cli.config.typed import Config
from dmf_cli.machine import environment, peak_memory
from dmf_cli.planning import room
from dmf_cli.planning.settings import Speed
from dmf_cli.run_folder.folder import RunFolder

if TYPE_CHECKING:
    from dmf_cli.training.session import Session

EPOCHS, STEPS = 3, 12  # that are timed, the steps of each epoch; the first of them compiles
SCORED = 6  # test images whose scores are timed
clock = time.perf_counter  # tests have one of their own


class Watch:
    """Stands where the display of a run stands, and notes when its steps begin and its epochs end.

    It is made when the training begins.
    """

    def __init__(self) -> None:
        self.made = clock()
        self.began: list[list[float]] = [[]]
        self.ended: list[float] = []

    def batch(self, step: int, steps: int | None) -> None:
        """A step begins."""
        self.began[-1].append(clock())

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch has ended, and its checkpoints are on disk."""
        self.ended.append(clock())
        self.began.append([])

    def read(self, steps: int) -> tuple[float, float, float]:
        """Seconds of a step, of an epoch beside its ``steps``, and of all compilation."""
        later = list(zip(self.began[1:], itertools.pairwise(self.ended), strict=False))
        gaps = [after - before for began, _ in later for before, after in itertools.pairwise(began)]
        step = statistics.median(gaps or [end - began[0] for began, (_, end) in later])
        rests = [end - start - (began[-1] - began[0]) - step for began, (start, end) in later]
        rest = max(0.0, min(rests))  # of an epoch that is not the best so far, as most are not
        return step, rest, max(0.0, self.ended[0] - self.made - steps * step - rest)


def here(config: Config) -> Speed:
    """:func:`of_run` in this process, for parts that no other process has; nothing of it is kept.

    Its memory holds what this process held before, too.

    Raises:
        UsageError: what ``dmf train`` would raise for this config.
        OutOfMemoryError: it needs more memory than there is.
    """
    from dmf_cli import runtime

    began = clock()
    runtime.start(config.trainer)
    import dmf_cli.training.session  # noqa: F401

    imports = clock() - began
    import keras  # with the backend that the config chooses

    with tempfile.TemporaryDirectory(prefix="dmf-plan-") as folder, environment("DMF_DISPLAY", "quiet"):
        try:
            return of_run(config, Path(folder), imports)
        finally:
            keras.backend.clear_session()
            gc.collect()


def of_run(config: Config, folder: Path, imports: float) -> Speed:
    """Train a few short epochs of ``config``, score a few images, and draw and report what a run does.

    Args:
        config: of the run.
        folder: where its files are made.
        imports: seconds that importing the backend has taken.

    Raises:
        OutOfMemoryError: it needs more memory than there is.
    """
    try:
        return _of_run(config, folder, imports)
    except Exception as error:
        if short := room.of(error):
            raise short from error
        raise


def _of_run(config: Config, folder: Path, imports: float) -> Speed:
    from dmf_cli.training.session import Session
    from dmf_cli.training.trackers import Tracking

    began = clock()
    config = config.with_root(run_dir=str(folder / "run")).with_group("tracker", {"name": "none"})
    config = config.changed("optimizer", frozen=0.0)  # steps with a frozen encoder are the cheaper ones
    session = Session(configs.with_absolute_paths(config))
    run = RunFolder.claim(folder / "run")
    run.write_config(configs.to_yaml(session.config))
    run.write_status("running", epochs=EPOCHS)
    session.save_split(run)
    start = clock() - began
    session.steps = min(session.steps, STEPS)
    session.config = session.config.changed("trainer", epochs=EPOCHS)
    watch = Watch()
    with run.logging():
        session.fit(run, watch, None, Tracking(session.config, run))  # type: ignore[arg-type]
        end = _end(session, run)
    run.release()
    step, epoch, compiling = watch.read(session.steps)
    return Speed(imports, start, compiling, step, epoch, end, peak_memory())


def _end(session: "Session", run: RunFolder) -> float:
    """Scores, figures and report: of a few images, and what each of the others costs more."""
    whole = session.data.split.test
    # The first scoring imports what scores need, so the slope is that of the two after it.
    counts = [SCORED, SCORED, 3 * SCORED] if len(whole) > 3 * SCORED else [len(whole)]
    seconds = [_scored(session, run, whole[:count]) for count in counts]
    began = clock()
    session.report(run)
    report = clock() - began
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
    began = clock()
    session.evaluate(run)
    return clock() - began
