"""An error on the terminal: one line, and the exit code that goes with it."""

from dmf_cli.errors import DmfError, debugging
from dmf_cli.parts import failures
from dmf_cli.terminal.say import say


def report(error: Exception, prefix: str = "") -> int:
    """Print ``error`` as one line on stderr and return its exit code; a traceback with ``DMF_DEBUG=1``."""
    if debugging():
        import traceback

        traceback.print_exception(error)
    text = " ".join(str(error).split())
    if not isinstance(error, DmfError) and (place := failures.where(error)):
        say(f"error: {prefix}{place}: {type(error).__name__}: {text or 'no message'}", error=True)
        return 1
    if isinstance(error, DmfError):
        say(f"error: {prefix}{text}", error=True)
        return error.exit_code
    if isinstance(error, OSError) and error.filename and error.strerror:  # a path that nobody thought of
        say(f"error: {prefix}{str(error.filename)[:300]}: {error.strerror}", error=True)
        return 1
    hint = "this is a defect of dmf: run it with DMF_DEBUG=1 and report the traceback"
    say(f"error: {prefix}unexpected {type(error).__name__}: {text or 'no message'}; {hint}", error=True)
    return 1
