"""Crash points: a copy of the run before each operation on its files, resumed and compared."""

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.faults import points, runs, truth
from tests.faults.points import Point
from tests.faults.tally import Tally

Choose = Callable[[Sequence[Point]], Sequence[Point]]


def at_random(count: int, seed: int) -> Choose:
    """``count`` of the points; all if there are no more."""

    def choose(found: Sequence[Point]) -> Sequence[Point]:
        chosen = random.Random(seed).sample(range(len(found)), min(count, len(found)))
        return [found[number] for number in sorted(chosen)]

    return choose


def of_training(place: Path, choose: Choose, *words: str) -> Tally:
    """Of a training from its first file to its last; ``place/whole`` is the run that was not disturbed.

    What is left is looked at at each of the points, and the chosen ones are resumed, in this process.
    """
    tally, whole = Tally("crash points"), place / "whole"
    with runs.one_network():
        with points.recorded(whole, place / "points") as found:
            assert runs.command(runs.train(whole, *words)).code == 0
        _look(tally, found, truth.NOWHERE)
        for point in _with_complete(found, choose):
            _go_on(tally, whole, point)
    return tally.stop()


def of_resuming(place: Path, whole: Path, choose: Choose, *words: str) -> Tally:
    """Of resuming a run that was killed before its best network had its place."""
    tally = Tally("crash points of a resume")
    with runs.one_network(), contextlib.ExitStack() as stack:
        first = stack.enter_context(points.recorded(place / "killed", place / "before"))
        assert runs.command(runs.train(place / "killed", *words)).code == 0
        stack.close()
        killed = [point for point in first if point.kind == "kill" and truth.waits(point.folder)][-1]
        begun = truth.position(killed.folder)
        with points.recorded(killed.folder, place / "points") as found:
            assert runs.command(runs.resume(killed.folder)).code == 0
        # What is there at the start was made by another process, and is on the disk.
        found = [point for point in found if point.kind != "power"]
        _look(tally, found, begun)
        for point in _with_complete(found, choose):
            _go_on(tally, whole, point)
    return tally.stop()


def _with_complete(found: Sequence[Point], choose: Choose) -> Iterator[Point]:
    """The chosen points, and those at which the run is complete: these cost no resume."""
    chosen = {point.seen for point in choose(found)}
    return (point for point in found if point.seen in chosen or truth.completed(point.folder))


def _look(tally: Tally, found: Sequence[Point], begun: truth.Position) -> None:
    """All points are true, and none has less than those of its kind before it."""
    reached = {"kill": begun, "power": begun}
    for point in found:
        kind = "power" if point.kind == "power" else "kill"
        tally.crashed(f"{point.kind} before {point.before}", point.folder, reached[kind])
        reached[kind] = max(reached[kind], truth.position(point.folder))


def _go_on(tally: Tally, whole: Path, point: Point) -> None:
    where, begun = f"{point.kind} before {point.before}", truth.position(point.folder) != truth.NOWHERE
    end = runs.finished(point.folder)
    if begun:
        tally.resumed(where, whole, point.folder, end)
    else:
        tally.check(end.code in (1, 2) and end.one_line, f"{where}: nothing had begun, and resume says {end}")
    shutil.rmtree(point.folder)
