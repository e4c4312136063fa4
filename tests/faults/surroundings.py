"""What goes on around a run: signals, other processes, and a clock that is set."""

import contextlib
import datetime
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from dmf_cli.run_folder import folder as run_folder
from dmf_cli.run_folder.folder import RunFolder
from tests.faults import runs, truth
from tests.faults.tally import Tally


def kills(place: Path, whole: Path, count: int, seed: int, *words: str) -> Tally:
    """SIGKILL at ``count`` random moments of runs that are resumed until they are complete."""
    return _signalled(Tally("SIGKILL"), place, whole, signal.SIGKILL, count, seed, words)


def terms(place: Path, whole: Path, count: int, seed: int, *words: str) -> Tally:
    """The same with SIGTERM; how long the process takes to end is in the note."""
    return _signalled(Tally("SIGTERM"), place, whole, signal.SIGTERM, count, seed, words)


def _signalled(
    tally: Tally,
    place: Path,
    whole: Path,
    number: signal.Signals,
    count: int,
    seed: int,
    words: tuple[str, ...],
) -> Tally:
    draw, folder, took = random.Random(seed), place / number.name, list[float]()
    undisturbed = runs.child(runs.train(place / "timed", *words)).end()
    assert undisturbed.code == 0
    tally.resumed("undisturbed", whole, place / "timed", undisturbed)
    next_one, reached = runs.train(folder, *words), truth.NOWHERE
    while tally.tried < count:
        child = runs.child(next_one)
        end = child.wait(draw.uniform(0, undisturbed.seconds))
        if end is None:
            sent = time.monotonic()
            child.send(number)
            end = child.end()
            took.append(time.monotonic() - sent)
            where = f"{number.name} {tally.tried + 1}"
            tally.crashed(where, folder, reached)
            if number == signal.SIGTERM:
                _terminated(tally, where, folder, end)
            end = runs.End(0, (), 0.0) if truth.completed(folder) else None
        if end is not None:
            tally.resumed(f"{number.name}, the run that saw number {tally.tried}", whole, folder, end)
        reached = max(reached, truth.position(folder))
        if end is not None or reached == truth.NOWHERE:
            shutil.rmtree(folder, ignore_errors=True)
            next_one, reached = runs.train(folder, *words), truth.NOWHERE
        else:
            next_one = runs.resume(folder)
    if number == signal.SIGTERM:
        tally.note = f"signal to exit: median {sorted(took)[len(took) // 2]:.2f} s, longest {max(took):.2f} s"
    return tally.stop()


def _terminated(tally: Tally, where: str, folder: Path, end: runs.End) -> None:
    tally.check(end.code in (143, 0) and not end.errors, f"{where}: ends with {end}")
    state = RunFolder(folder).read_status().get("state")
    tally.check(state in ("interrupted", "completed", None), f"{where}: the status says {state}")


def two_at_once(place: Path, whole: Path, count: int, *words: str) -> Tally:
    """A resume of a run that is at work, then two resumes of one that was interrupted, at the same time."""
    tally = Tally("two processes")
    for number in range(count):
        folder = place / f"shared-{number}"
        first = runs.child(runs.train(folder, *words))
        ended = None
        while ended is None and truth.position(folder) == truth.NOWHERE:
            ended = first.wait(0.05)
        if ended is not None:
            tally.lost.append(f"run {number + 1} ended before its first checkpoint: {ended}")
            continue
        second = runs.child(runs.resume(folder)).end()
        tally.tried += 1
        where = f"resume {number + 1} of a run at work"
        tally.check(second.code == 2 and second.one_line, f"{where}: {second}")
        first.send(signal.SIGTERM)
        first.end()
        if truth.completed(folder):  # before the signal came
            tally.resumed(where, whole, folder, runs.End(0, (), 0.0))
            shutil.rmtree(folder)
            continue
        pair = [runs.child(runs.resume(folder)) for _ in range(2)]
        ends = sorted((child.end() for child in pair), key=lambda end: end.code)
        tally.tried += 1
        where = f"two resumes at once, {number + 1}"
        tally.check(ends[1].code == 2 and ends[1].one_line, f"{where}: {ends}")
        tally.resumed(where, whole, folder, ends[0])
        shutil.rmtree(folder)
    return tally.stop()


def clock(place: Path, whole: Path, count: int, seed: int, *words: str) -> Tally:
    """The clock jumps by days, forward and back, at every look at it."""
    tally = Tally("clock set")
    with runs.one_network():
        for number in range(count):
            folder = place / f"clock-{number}"
            with jumping(random.Random(seed + number)):
                end = runs.command(runs.train(folder, *words))
            tally.crashed(f"clock {number + 1}", folder, truth.NOWHERE)
            tally.resumed(f"clock {number + 1}", whole, folder, end)
            seconds = RunFolder(folder).read_epochs()["seconds"]
            tally.check(all(0 <= value < 3600 for value in seconds), f"an epoch took {seconds} s")
            shutil.rmtree(folder)
    return tally.stop()


@contextlib.contextmanager
def jumping(draw: random.Random) -> Iterator[None]:
    """``time.time``, and the time that a status is given, are wrong by up to a month, each time anew."""
    now, real = time.time, datetime.datetime

    def shifted() -> float:
        return now() + draw.uniform(-30, 30) * 86_400

    set_clock = SimpleNamespace(
        UTC=datetime.UTC, datetime=SimpleNamespace(now=lambda zone=None: real.fromtimestamp(shifted(), zone))
    )
    with mock.patch.object(time, "time", shifted), mock.patch.object(run_folder, "datetime", set_clock):
        yield
