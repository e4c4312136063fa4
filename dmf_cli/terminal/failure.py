"""An error on the terminal: one line, and the exit code that goes with it."""

import sys

from dmf_cli.errors import DmfError, debugging
from dmf_cli.parts import failures


def report(error: Exception, prefix: str = "") -> int:
    """Print ``error`` as one line on stderr and return its exit code; a traceback with ``DMF_DEBUG=1``."""
    if debugging():
        import traceback

        traceback.print_exception(error)
    text = " ".join(str(error).split())
    if not isinstance(error, DmfError) and (place := failures.where(error)):
        print(f"error: {prefix}{place}: {type(error).__name__}: {text or 'no message'}", file=sys.stderr)
        return 1
    if isinstance(error, DmfError):
        print(f"error: {prefix}{text}", file=sys.stderr)
        return error.exit_code
    hint = "this is a defect of dmf: run it with DMF_DEBUG=1 and report the traceback"
    print(
        f"error: {prefix}unexpected {type(error).__name__}: {text or 'no message'}; {hint}", file=sys.stderr
    )
    return 1
