"""Runs an hour of a sweep: one job after another and several at a time, forked and in processes of their own.

Run: python scripts/bench_sweep.py                    (1, 2 and 4 workers, 3 rounds; half an hour on 2 cores)
     python scripts/bench_sweep.py --workers 1 2 --jobs 4 --rounds 2 dataset.count=64
     python scripts/bench_sweep.py --page

Each side is a whole `dmf train -m` over seeds, without reports, in a folder that goes again; the sides take
turns. The goals: a forked sweep begins a job within 1 s, and two workers on two cores are not slower than
one.
The time to begin is that from the end of one job, as its status has it, to the start of the next one.
"""

import argparse
import functools
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import measuring
import numpy as np

TOY = ("dataset.count=48", "dataset.image_size=64", "dataset.size=64", "model.filters=4", "trainer.epochs=4")


def sweep(workers: int, warm: bool, jobs: int, words: Sequence[str], began: list[float]) -> float:
    """Seconds of a sweep; the seconds between its jobs, one at a time, are added to ``began``."""
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        command = [sys.executable, "-P", "-m", "dmf_cli", "train", "-m", "report=false", *words]
        command += [f"seed=range({jobs})", f"output_root={folder}/out"]
        command += [f"sweep.workers={workers}", f"sweep.warm={str(warm).lower()}"]
        start = time.perf_counter()
        done = subprocess.run(
            command, env={**os.environ, "DMF_DISPLAY": "quiet"}, capture_output=True, text=True
        )
        spent = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        if workers == 1:
            began += _between(Path(folder) / "out")
    return spent


def _between(root: Path) -> list[float]:
    """Seconds from the end of each run to the start of the next; statuses have whole seconds."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in root.rglob("status.json")]
    times = sorted([datetime.fromisoformat(one[key]) for key in ("started", "updated")] for one in found)
    return [(after[0] - before[1]).total_seconds() for before, after in itertools.pairwise(times)]


def lines(seconds: measuring.Seconds, began: dict[str, list[float]], jobs: int) -> list[str]:
    """The table: runs an hour, and the ratio of the seconds to one worker with processes of its own."""
    base = next(iter(seconds))
    rows = []
    for name, own in seconds.items():
        found = measuring.ratio(own, seconds[base])
        hour = [f"{3600 * jobs / value:.0f}" for value in np.percentile(own, (50, 75, 25))]
        wait = f"{statistics.mean(began[name]):.1f}" if began[name] else ""
        interval = "" if name == base else f"{found.low:.2f} to {found.high:.2f}"
        rows.append([name, hour[0], f"{hour[1]} to {hour[2]}", f"{found.middle:.2f}", interval, wait])
    columns = ["sweep", "runs an hour", "quartiles", "time, ratio", "95 % interval", "s between jobs"]
    return measuring.table(columns, rows)


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("overrides", nargs="*", help=f"of the config; default: {' '.join(TOY)}")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--jobs", type=int, default=8, help="of each sweep")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    sides, began = {}, {}
    for warm in (False, True):
        for workers in given.workers:
            name = f"{workers} at a time, {'forked' if warm else 'processes of their own'}"
            began[name] = list[float]()
            sides[name] = functools.partial(
                sweep, workers, warm, given.jobs, given.overrides or TOY, began[name]
            )
    seconds = measuring.interleaved(sides, given.rounds, warm=0)
    measuring.publish("sweep", "Runs an hour", lines(seconds, began, given.jobs), given)


if __name__ == "__main__":
    main()
