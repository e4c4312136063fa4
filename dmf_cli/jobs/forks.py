"""Jobs that are forks of a process which has imported everything already, from the side of who wants them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Sequence

from dmf_cli.jobs.process import blocked, environment, python

MODULE = "dmf_cli.jobs.warm"
# Not PyTorch, which counts the processors when it is loaded, before a job has its share of them.
BACKENDS = ("tensorflow", "jax")


class Fork:
    """A job; a :class:`dmf_cli.jobs.process.Handle`."""

    def __init__(self, owner: "Warm") -> None:
        self.pid: int | None = None  # None until it has begun
        self.returncode: int | None = None
        self._owner = owner
        self._asked: list[int] = []  # signals for when it has begun

    def poll(self) -> int | None:
        """The exit code, None while it runs; negative: killed by that signal."""
        if self.returncode is None:
            self._owner.look()
        return self.returncode

    def wait(self) -> int:
        """Wait for the exit code."""
        while self.returncode is None:
            self._owner.look(wait=True)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, once the job has begun. Without a look: a handler may call it amid another one."""
        if self.pid is None:
            self._asked.append(number)
        elif self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and its children at once."""
        if self.pid is None:
            self._owner.kill()  # it cannot be called off; who kills one job kills them all
        elif self.poll() is None:
            for end in (os.killpg, os.kill):  # it may not have a session of its own yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    end(self.pid, signal.SIGKILL)

    def began(self, pid: int) -> None:
        """The job runs."""
        self.pid = pid
        for number in self._asked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class Warm:
    """The process that forks the jobs of one backend; it ends with :meth:`close`, or when this one ends.

    Args:
        backend: ``tensorflow`` or ``jax``; empty: nothing is imported beforehand.
        module: whose ``main()`` is a job.
        processors: that a job has; 0: all.
    """

    def __init__(self, backend: str, module: str, processors: int = 0) -> None:
        self._socket, theirs = socket.socketpair()
        words = [str(theirs.fileno()), module, *([backend, str(processors)] if backend else [])]
        with theirs, blocked():  # its forks begin with signals waiting, until they can take them
            self._process = subprocess.Popen(
                python(MODULE, *words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._waiting: deque[Fork] = deque()
        self._running: dict[int, Fork] = {}
        self._text = b""
        self.lost = False

    def fork(self, given: int, output: int, keep: Sequence[int]) -> Fork:
        """A new job that reads ``given``, writes to ``output`` and holds ``keep`` open."""
        fork = Fork(self)
        self._waiting.append(fork)
        try:
            socket.send_fds(self._socket, [b"1"], [given, output, *keep])
        except OSError:
            self._end()
        return fork

    def look(self, *, wait: bool = False) -> None:
        """Read what has been said since the last look, or at least one line of it."""
        while not self.lost:
            try:
                text = self._socket.recv(65536, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                text = b""
            if not text:
                self._end()
                return
            *lines, self._text = (self._text + text).split(b"\n")
            for line in lines:
                self._note(json.loads(line))
            wait = wait and not lines

    def kill(self) -> None:
        """End it at once; so do the jobs that have not begun."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._end()

    def close(self) -> None:
        """End it; no job is running any more."""
        self.lost = True
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _note(self, said: dict[str, int]) -> None:
        if (pid := said.get("began")) is not None:
            fork = self._running[pid] = self._waiting.popleft()
            fork.began(pid)
        elif "refused" in said:
            self._waiting.popleft().returncode = 1
        elif ended := self._running.pop(said["ended"], None):  # else a process that an import had started
            ended.returncode = said["code"]

    def _end(self) -> None:
        """It died: nobody will know how its jobs end, so they end now."""
        self.lost = True
        self._socket.close()
        code = self._process.wait() or -signal.SIGKILL
        for pid, fork in self._running.items():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            fork.returncode = -signal.SIGKILL
        for fork in self._waiting:
            fork.returncode = code
        self._running.clear()
        self._waiting.clear()
