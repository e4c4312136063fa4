"""The connections between the hosts of a run: to meet, to compare, and to see that one has ended.

Each host has two to the first one. Over the first they say what :mod:`dmf_cli.hosts` asks; over the second
nothing, and it closes when a host ends, which JAX alone says late or never.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing import connection
from typing import Self

from dmf_cli import interrupts

WAIT = 0.5  # seconds between two looks at whether to wait longer
GRACE = 5  # seconds in which a host ends by itself when another one has
ENDED = "another host of this run has ended before the training was over, and may say why"
_HELLO = re.compile(r"dmf (talk|life) (\d+) of (\d+) *")
_LENGTH = 64  # bytes of a greeting
_READY = b"dmf!"


class Links:
    """The connections of this host, and the thread that sees one end.

    Args:
        number: of this host, from 0.
        count: of all.
        talks: to the first host; of the first host, to the others in their order.
        lives: as ``talks``.

    Attributes:
        ended: another host has ended, or left.
    """

    def __init__(
        self, number: int, count: int, talks: list[socket.socket], lives: list[socket.socket]
    ) -> None:
        self.number, self.count, self.talks, self.lives = number, count, talks, lives
        self.ended, self.over = threading.Event(), threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @classmethod
    def of(cls, address: str, number: int, count: int, patience: float) -> Self:
        """Wait until all hosts are here.

        Args:
            address: HOST:PORT of the first host.
            number: of this one.
            count: of all.
            patience: seconds.

        Raises:
            OSError: the port cannot be had, or some have not come after ``patience``.
            KeyboardInterrupt: the command was asked to end.
        """
        host, _, port = address.rpartition(":")
        end = time.monotonic() + patience
        with contextlib.ExitStack() as opened:
            if number == 0:
                others = _wait_for_others(int(port), count, end, opened)
                talks, lives = ([others[kind, i] for i in range(1, count)] for kind in ("talk", "life"))
            else:
                place = host.strip("[]"), int(port)  # brackets are those of an IPv6 address
                talk = _connected(place, f"dmf talk {number} of {count}", end, opened)
                life = _connected(place, f"dmf life {number} of {count}", end, opened)
                if _read(talk, len(_READY), lambda: _check_time(end, "not all have come")) != _READY:
                    raise ConnectionError(f"at {address} is something else")
                talks, lives = [talk], [life]
            for one in (*talks, *lives):
                _keep_alive(one)
            if number == 0:
                for talk in talks:
                    talk.sendall(_READY)
            opened.pop_all()
        return cls(number, count, talks, lives)

    def gathered(self, part: bytes) -> list[bytes]:
        """``part`` of each host, all of one length.

        Raises:
            OSError: another host has ended.
        """
        size = len(part) + 1  # a host that has nothing to say is waited for too
        check = self._check()
        if self.number:
            self.talks[0].sendall(b"." + part)
            whole = _read(self.talks[0], size * self.count, check)
        else:
            whole = b"".join([b"." + part, *(_read(talk, size, check) for talk in self.talks)])
            for talk in self.talks:
                talk.sendall(whole)
        return [whole[at + 1 : at + size] for at in range(0, len(whole), size)]

    def close(self, stop: Callable[[], None]) -> None:
        """End the connections; ``stop`` is called in between, on the first host after the others."""
        self.over.set()
        for life in self.lives:
            with contextlib.suppress(OSError):  # closed by the other host
                life.shutdown(socket.SHUT_RDWR)  # the thread that waits closes it
        try:
            if self.number == 0:
                self._see_off()
        finally:
            try:
                stop()
            finally:
                for talk in self.talks:
                    talk.close()

    def _check(self) -> Callable[[], None]:
        """For :func:`_read`: raises when nothing has come for a WAIT since a host ended."""
        ended = False

        def check() -> None:
            nonlocal ended
            if ended:
                raise ConnectionError("another one has ended")
            ended = self.ended.is_set()

        return check

    def _watch(self) -> None:
        """End this process when another host has ended: what it computes may wait for the other one forever.

        It has GRACE to end by itself, with its last words.
        """
        connection.wait(self.lives)
        self.ended.set()
        for life in self.lives:
            life.close()  # so that all hosts know at once
        # The others first: JAX aborts them when the first host has ended.
        if not self.over.wait(GRACE if self.number else 1.5 * GRACE):
            interrupts.end(f"error: {ENDED}", 1)

    def _see_off(self) -> None:
        """Wait until the others have left."""
        left, end = list(self.talks), time.monotonic() + 1.5 * GRACE
        while left and (said := connection.wait(left, max(0.0, end - time.monotonic()))):
            left = [talk for talk in left if talk not in said or _says_more(talk)]


def _wait_for_others(
    port: int, count: int, end: float, opened: contextlib.ExitStack
) -> dict[tuple[str, int], socket.socket]:
    """Kind and number of a host -> its connection."""
    connections: dict[tuple[str, int], socket.socket] = {}
    with _server(port) as server:
        while len(connections) < 2 * (count - 1):
            _check_time(end, f"{1 + len(connections) // 2} of {count} have come")
            try:
                other = opened.enter_context(server.accept()[0])
            except TimeoutError:
                continue
            hello = _greeting(other)
            if hello is None:  # a stranger
                other.close()
                continue
            kind, number, theirs = hello[1], int(hello[2]), int(hello[3])
            if theirs != count or not 0 < number < count or (kind, number) in connections:
                raise ConnectionError(f"one says that it is number {number} of {theirs}, counted from 0")
            connections[kind, number] = other
    return connections


def _greeting(other: socket.socket) -> re.Match[str] | None:
    with contextlib.suppress(OSError):
        end = time.monotonic() + 1
        said = _read(other, _LENGTH, lambda: _check_time(end, "a stranger"))
        return _HELLO.fullmatch(said.decode("ascii", "replace"))
    return None


def _server(port: int) -> socket.socket:
    """One that listens on every network of this machine."""
    if socket.has_dualstack_ipv6():
        server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        server = socket.create_server(("", port))
    server.settimeout(WAIT)
    return server


def _connected(place: tuple[str, int], hello: str, end: float, opened: contextlib.ExitStack) -> socket.socket:
    """A connection to the first host, which may not be there yet."""
    while True:
        try:
            first = opened.enter_context(socket.create_connection(place, timeout=5))
        except OSError as error:
            _check_time(end, f"the first one does not answer: {error}")
            time.sleep(WAIT)
        else:
            first.sendall(hello.ljust(_LENGTH).encode())
            return first


def _check_time(end: float, why: str) -> None:
    interrupts.check()
    if time.monotonic() > end:
        raise TimeoutError(why)


def _keep_alive(link: socket.socket) -> None:
    """A connection that closes where the other machine is cut off."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2)):
        if hasattr(socket, name):  # Linux
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _read(link: socket.socket, length: int, check: Callable[[], None]) -> bytes:
    """The next ``length`` bytes; ``check`` is called while nothing comes, and may raise."""
    received = b""
    link.settimeout(WAIT)
    while len(received) < length:
        try:
            part = link.recv(length - len(received))
        except TimeoutError:
            check()
            continue
        if not part:
            raise ConnectionError("another one has ended")
        received += part
    return received


def _says_more(link: socket.socket) -> bool:
    """Whether ``link``, which can be read, is open still."""
    try:
        return bool(link.recv(1024))
    except OSError:
        return False
