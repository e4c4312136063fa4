"""What a user reads, and the status says, when a run ends before it is complete."""

import re

from dmf_cli import hints
from dmf_cli.errors import DmfError, RunError
from dmf_cli.parts import failures
from dmf_cli.run_folder.folder import RunFolder

# Lines of TensorFlow that say where an error was, and not which.
_WHERE = re.compile(r"Graph execution error|Detected at node|Node: |<stack traces|\d+ root error|\s{3,}")


def interrupted(run: RunFolder) -> str:
    """Note in the status that the run was interrupted, unless it had ended; returns what to do next."""
    state = run.read_status().get("state")
    if state == "running":
        run.end("interrupted")
    return f"{run.path} is complete" if state == "completed" else _next_step(run)


def _next_step(run: RunFolder) -> str:
    """What to do after an interruption; before the first checkpoint there is nothing to resume."""
    if run.last_checkpoint.is_file():
        return f"`{hints.command('resume', run.path)}` continues from its last checkpoint"
    return f"the training had not begun; start anew, {run.path} can be removed"


def as_run_error(error: Exception, where: str) -> DmfError:
    """The message for the user; ``where`` says what has the traceback."""
    if isinstance(error, DmfError):
        return error.in_run().but(where)
    place = failures.where(error)  # of a part of the user's own
    what = f"the run failed with {type(error).__name__}" + (f" in {place}" if place else "")
    return RunError(what, hint=f"{failures.cause(error) if place else first_line(error)}; {where}")


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says what is wrong; frameworks append pages.

    TensorFlow begins with where it happened.
    """
    lines = [line for line in str(error).splitlines() if line.strip()] or ["no message"]
    return next((line for line in lines if not _WHERE.match(line)), lines[0]).strip()
