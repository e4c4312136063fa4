"""Whether something grows: memory, open files and time over many steps and jobs, as slopes with errors.

Run: python scripts/slopes.py                                  (20,000 steps and 500 jobs; an hour on 2 cores)
     python scripts/slopes.py --steps 2000 --jobs 20 --long 100000
     python scripts/slopes.py --page

1. One run of a toy network of so many steps, in a process of its own, which is watched from outside: its
   resident memory and open files each second, and the seconds of each epoch from its epochs.csv.
2. One sweep of so many jobs of a few steps: memory and open files of the process of the sweep and of the one
   that forks its jobs, and the seconds from one finished run to the next.
3. Plots and report of a made-up run of so many steps: seconds, peak memory, and the size of the page.

A slope is that of the line through the second half of the measurements, since the first half has what is
loaded once; its standard error allows for neighbours that resemble each other. A slope of more than two
errors above 0 is named `grows`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import measuring
import numpy as np

TOY = (
    "dataset.count=24", "dataset.size=32", "dataset.image_size=32", "model.filters=2", "model.convs=1",
    "trainer.batch_size=8", "augment=none", "weighting.warmup=2", "weighting.window=50",
)  # fmt: skip
DMF = [sys.executable, "-P", "-m", "dmf_cli"]
MB = 2**20
Sample = tuple[float, float, float]  # seconds since the start, bytes, open files
HEADER = "step,epoch,loss,gamma,aux,loss.cbdice,loss.bce,weight.cbdice,weight.bce"


def watched(command: Sequence[str], every: float = 1.0) -> list[Sample]:
    """Memory and open files of a process, until it has ended well."""
    quiet = {**os.environ, "DMF_DISPLAY": "quiet", "TF_CPP_MIN_LOG_LEVEL": "3"}
    began, samples = time.monotonic(), []
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=quiet, stdout=said, stderr=said)
        while process.poll() is None:
            if (found := footprint(process.pid)) is not None:
                samples.append((time.monotonic() - began, *found))
            time.sleep(every)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said.read()[-2000:]}")
    return samples


def footprint(pid: int) -> tuple[float, float] | None:
    """Resident bytes and open files of a process and its children; None once it has ended. Linux only.

    The children of a sweep are what forks its jobs; the jobs are children of that.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found = [_of_one(one) for one in (str(pid), *children)]
    except (OSError, IndexError):
        return None
    return sum(one[0] for one in found), sum(one[1] for one in found)


def _of_one(pid: str) -> tuple[float, float]:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE")), float(sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def row(what: str, unit: str, x: Sequence[float], y: Sequence[float], scale: float = 1.0) -> list[str]:
    """Level, slope and error of the second half of some measurements, per 1,000 of ``x``."""
    half = len(x) // 2
    if len(x) - half < 4:
        return [what, unit, "", "", "too few measurements"]
    found, error = (1000 * scale * one for one in measuring.slope(x[half:], y[half:]))
    grows = "grows" if found > 2 * error and error > 0 else ""
    return [what, unit, f"{scale * np.median(y[half:]):.4g}", f"{found:+.3g} ± {error:.2g}", grows]


def table(per: str, rows: Sequence[Sequence[str]]) -> list[str]:
    return measuring.table(("what", "unit", "median", f"slope per 1,000 {per}, ± standard error", ""), rows)


def steps(count: int, folder: Path) -> list[str]:
    """One run of ``count`` steps."""
    an_epoch = 2  # of 24 images, 70 % of which are trained on
    epochs = -(-count // an_epoch)
    run = folder / "run"
    words = [*TOY, f"trainer.epochs={epochs}", f"run_dir={run}", "trainer.cache=memory"]
    samples = watched([*DMF, "train", *words], max(0.05, min(1.0, count / 5000)))
    with (run / "epochs.csv").open(encoding="utf-8") as file:
        head, *values = (line.rstrip("\n").split(",") for line in file)
    done, seconds = ([float(one[head.index(name)]) for one in values] for name in ("step", "seconds"))
    times = [sample[0] for sample in samples]
    whole = done[-1] / times[-1] if times else 1.0  # steps a second, the start and the end among them
    at = [one * whole for one in times]
    return table(
        "steps",
        [
            row("memory", "MB", at, [sample[1] for sample in samples], 1 / MB),
            row("open files", "", at, [sample[2] for sample in samples]),
            row("an epoch", "ms", done, seconds, 1000),
        ],
    )


def jobs(count: int, folder: Path) -> list[str]:
    """One sweep of ``count`` jobs, one after another, each a fork of one process."""
    words = [*TOY, "trainer.epochs=2", "report=false", f"output_root={folder}", "sweep.compare=false"]
    seeds = ",".join(map(str, range(count)))
    samples = watched([*DMF, "train", "-m", f"seed={seeds}", *words])
    ended = sorted(file.stat().st_mtime for file in folder.glob("**/status.json"))
    times = [sample[0] for sample in samples]
    at = [one * count / times[-1] for one in times]
    gaps = np.diff(ended)
    return table(
        "jobs",
        [
            row("memory", "MB", at, [sample[1] for sample in samples], 1 / MB),
            row("open files", "", at, [sample[2] for sample in samples]),
            row("a job", "s", list(range(1, len(ended))), list(gaps)),
        ],
    )


def made_up(run: Path, count: int) -> None:
    """A completed run of ``count`` steps, whose values are random."""
    from dmf_cli import config as configs
    from dmf_cli.run_folder import csv_log
    from dmf_cli.run_folder.folder import RunFolder

    folder = RunFolder.claim(run)
    folder.write_config(configs.to_yaml(configs.compose([])))
    epochs = min(count, 1000)
    rng = np.random.default_rng(0)
    for part in np.array_split(np.arange(count), max(1, count // 50_000)):
        values = rng.uniform(0.2, 0.8, (len(part), 4))
        zeros = np.zeros(len(part))
        epoch = 1 + part * epochs // count
        sums = values[:, :2].sum(1)
        columns = [part, epoch, sums, zeros, zeros, *values[:, :2].T, values[:, 2], 1 - values[:, 2]]
        with folder.steps_file.open("a", encoding="utf-8") as file:
            if part[0] == 0:
                file.write(f"{HEADER}\n")
            np.savetxt(file, np.stack(columns, 1), ["%d", "%d", *["%.9g"] * 7], delimiter=",")
    columns = ["epoch", "step", "seconds", "loss", "val_loss", "val_foreground_dice"]
    rows = [(n, n * count // epochs, 1.0, 1 / n, 1 / n, 1 - 1 / n) for n in range(1, epochs + 1)]
    named = [dict(zip(columns, one, strict=True)) for one in rows]
    csv_log.append(folder.epochs_file, columns, named)
    folder.write_status("completed", epochs=epochs)
    folder.release()


LONG = """
import json, sys, time
from pathlib import Path
from dmf_cli import report
from dmf_cli.figures import run_figures
from dmf_cli.machine import peak_memory
from dmf_cli.run_folder.folder import RunFolder
run, found = Path(sys.argv[1]), {}
for name, work in (("read", lambda: RunFolder.open(run).read_steps()),
                   ("plots", lambda: run_figures.plot_run(RunFolder.open(run))),
                   ("report", lambda: report.write([run]))):
    began = time.perf_counter()
    work()
    found[name] = [time.perf_counter() - began, peak_memory()]
print(json.dumps(found))
"""


def long(count: int, folder: Path, busy: bool) -> list[str]:
    """Plots and report of a run of ``count`` steps."""
    run = folder / "long"
    made_up(run, count)
    done = subprocess.run(
        [sys.executable, "-P", "-c", LONG, str(run)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    sizes = {"read": run / "steps.csv", "plots": run / "plots", "report": run / "report.html"}
    rows = []
    for name, (seconds, memory) in found.items():
        size = sum(one.stat().st_size for one in [sizes[name], *sizes[name].glob("*")] if one.is_file())
        own = [] if busy else [f"{seconds:.1f}"]
        rows.append([name, *own, f"{memory / MB:,.0f}", f"{size / MB:.2f}"])
    return measuring.table(("what", *([] if busy else ["s"]), "peak memory so far, MB", "files, MB"), rows)


def sections(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Name, title and table of each part that is asked for."""
    if given.steps:
        yield "slopes-steps", f"{given.steps:,} steps of a toy network", steps(given.steps, folder)
    if given.jobs:
        yield "slopes-jobs", f"A sweep of {given.jobs} jobs", jobs(given.jobs, folder / "sweep")
    if given.long:
        yield "long-run", f"Plots and report of {given.long:,} steps", long(given.long, folder, given.busy)


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("--steps", type=int, default=20_000, help="of one run; 0: none")
    parser.add_argument("--jobs", type=int, default=500, help="of one sweep; 0: none")
    parser.add_argument("--long", type=int, default=1_000_000, help="steps of the made-up run; 0: none")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dmf-slopes-") as folder:
        for name, title, lines in sections(given, Path(folder)):
            measuring.publish(name, title, lines, given)


if __name__ == "__main__":
    main()
