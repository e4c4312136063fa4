"""A run by a plan, and the time that it took beside what was expected."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dmf_cli.planning.plan import TrainingPlan
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.terminal.formats import duration
from dmf_cli.terminal.say import say as print_line


def follow(
    plan: TrainingPlan,
    train: Callable[[Mapping[str, Any]], Path],
    say: Callable[[str], None] = print_line,
    clock: Callable[[], float] = time.monotonic,
) -> Path:
    """Train so; how long it took is kept and said beside what was expected.

    Args:
        plan: what is followed.
        train: trains with its ``overrides``; is given the plan for the status of the run.
        say: called with the line.
        clock: seconds.
    """
    imported = "keras" in sys.modules
    began, expected = clock(), plan.choice.seconds
    path = train(plan.as_json())
    # What this process had imported already is a part of every run that is started on its own.
    took = clock() - began + (plan.choice.speed.imports if imported else 0.0)
    RunFolder.open(path).write_status("completed", plan={**plan.as_json(), "took": round(took, 1)})
    say(f"plan      expected {duration(expected)}, took {duration(took)} ({took / expected:.0%})")
    return path
