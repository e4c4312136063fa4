"""A process that forks jobs: ``python -m dmf_cli.jobs.warm SOCKET MODULE [BACKEND PROCESSORS]``.

It imports what every job of a backend needs, which takes seconds, and computes nothing: threads, devices and
random numbers begin in each fork anew. So a job gives the same results as in a process of its own, and what
it leaves in memory ends with it.

Each byte of the socket asks for a job, and comes with the files that become its input and its output, and
those that it holds open. The answers are lines: ``{"began": PID}``, or ``{"refused": ERRNO}`` where there is
no process for it, and ``{"ended": PID, "code": CODE}``.
When the socket is closed the process ends; its jobs end with their own input.
"""

import contextlib
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import sys
import warnings

FILES = 16  # that one job may be given
MODULES = (
    "dmf_cli.training.trainer",
    "dmf_cli.training.build",
    "dmf_cli.inference.score",
    "dmf_cli.figures.run_figures",
    "dmf_cli.report",
)


def main() -> int:
    """Serve until the socket is closed; in a fork, run the job and return its exit code."""
    asked, module = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    if len(sys.argv) > 3:
        _load(sys.argv[3], int(sys.argv[4]))
    gc.collect()
    gc.freeze()  # else the first collection of a job would copy all of it
    files = _serve(asked)
    if files is None:
        return 0
    _become(*files)
    return int(importlib.import_module(module).main())


def _load(backend: str, processors: int) -> None:
    """Import what a job needs, on as many processors as it will have (0: all): NumPy counts them then.

    What is not installed its own import will report.
    """
    from dmf_cli import machine, runtime

    with contextlib.suppress(Exception), machine.on_processors(processors):
        runtime.import_backend(backend)
        for name in MODULES:
            importlib.import_module(name)


def _serve(asked: socket.socket) -> list[int] | None:
    """Fork for each message; in a fork the files that came with it, None once the socket is closed."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda number, frame: None)  # only what has a handler wakes
    with contextlib.suppress(OSError):  # of a socket whose other end is gone
        while True:
            ready = select.select([asked, woken], [], [])[0]
            if woken in ready:
                woken.recv(512)
                _report_ended(asked)
            if asked not in ready:
                continue
            message, files, *_ = socket.recv_fds(asked, 1, FILES)
            if not message:
                break
            pid, refused = _fork(files[1])
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (asked, woken, wake):
                    one.close()
                return list(files)
            for file in files:
                os.close(file)
            _say(asked, **({"began": pid} if pid else {"refused": refused}))
    return None


def _fork(output: int) -> tuple[int | None, int]:
    """The number of the new process, 0 in it; None and the error if there is none, for this job alone."""
    with warnings.catch_warnings():
        # That of NumPy's threads, which it makes anew; nothing else has begun any.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return os.fork(), 0
        except OSError as error:
            os.write(output, f"error: no process for the job: {error.strerror}\n".encode())
            return None, error.errno or 1


def _become(given: int, output: int, *kept: int) -> None:
    """Be a process as :class:`dmf_cli.jobs.process.Process` starts one: a session, an input, an output."""
    os.setsid()
    for file, number in ((given, 0), (output, 1), (output, 2)):
        os.dup2(file, number)
    os.close(given)
    os.close(output)
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _report_ended(asked: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            _say(asked, ended=found[0], code=os.waitstatus_to_exitcode(found[1]))


def _say(asked: socket.socket, **what: int) -> None:
    asked.sendall(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
