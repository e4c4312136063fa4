"""The connections between hosts, as threads of this process."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dmf_cli import host_links, interrupts
from dmf_cli.host_links import Links


def free() -> str:
    with socket.create_server(("localhost", 0)) as server:
        return f"localhost:{server.getsockname()[1]}"


@contextlib.contextmanager
def linked(count: int) -> Iterator[list[Links]]:
    """The links of ``count`` hosts, in their order."""
    address = free()
    with ThreadPoolExecutor(count) as pool:
        hosts = list(pool.map(lambda number: Links.of(address, number, count, 20), range(count)))
        try:
            yield hosts
        finally:
            left = [one for one in reversed(hosts) if not one.over.is_set()]
            list(pool.map(lambda one: one.close(lambda: None), left))


def test_each_hears_what_all_say() -> None:
    with linked(3) as hosts, ThreadPoolExecutor(3) as pool:
        for words in ([b"ab", b"cd", b"ef"], [b"", b"", b""]):
            heard = list(pool.map(lambda one, word: one.gathered(word), hosts, words))
            assert heard == [words] * 3
        assert not any(one.ended.is_set() for one in hosts)


def test_a_word_that_is_late_is_heard_though_another_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_links, "WAIT", 0.2)
    with linked(2) as hosts, ThreadPoolExecutor(1) as pool:
        hosts[1].ended.set()
        heard = pool.submit(hosts[1].gathered, b"b")
        time.sleep(0.3)  # one look of those who wait
        assert hosts[0].gathered(b"a") == [b"a", b"b"] == heard.result()


def test_the_first_one_leaves_last() -> None:
    left: list[int] = []
    with linked(2) as hosts, ThreadPoolExecutor(2) as pool:
        first = pool.submit(hosts[0].close, lambda: left.append(0))
        time.sleep(0.3)
        hosts[1].close(lambda: left.append(1))
        first.result()
    assert left[:2] == [1, 0]


def test_the_end_of_one_shows_on_all_and_ends_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[tuple[str, int]] = []
    monkeypatch.setattr(host_links, "GRACE", 0.2)
    monkeypatch.setattr(interrupts, "end", lambda *words: ended.append(words))
    with linked(3) as hosts:
        for link in (*hosts[2].talks, *hosts[2].lives):
            link.shutdown(socket.SHUT_RDWR)  # as the system does for a process that is killed
        assert all(one.ended.wait(10) for one in hosts)
        with pytest.raises(OSError, match="ended"):
            hosts[0].gathered(b"a")
        end = time.monotonic() + 10
        while len(ended) < 3 and time.monotonic() < end:
            time.sleep(0.02)
    assert ended == [(f"error: {host_links.ENDED}", 1)] * 3


def test_strangers_are_turned_away() -> None:
    address = free()
    place = ("localhost", int(address.rpartition(":")[2]))
    with ThreadPoolExecutor(2) as pool, contextlib.ExitStack() as stack:
        first = pool.submit(Links.of, address, 0, 2, 30)
        for said in (b"GET / HTTP/1.1" + b" " * 100, b""):
            with contextlib.suppress(OSError):
                stranger = stack.enter_context(connected(place))
                stranger.sendall(said)
                stranger.shutdown(socket.SHUT_WR)
                assert stranger.recv(1) == b""
        second = pool.submit(Links.of, address, 1, 2, 30).result()
        for one in (first.result(), second):  # the first one leaves last
            stack.callback(one.close, lambda: None)
        assert (second.number, second.count) == (1, 2)


@pytest.mark.parametrize(
    ("hello", "why"), [((1, 3), "number 1 of 3"), ((2, 2), "number 2 of 2"), ((0, 2), "number 0 of 2")]
)
def test_a_host_that_is_not_expected_is_named(hello: tuple[int, int], why: str) -> None:
    address = free()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(Links.of, address, 0, 2, 30)
        with connected(("localhost", int(address.rpartition(":")[2]))) as other:
            other.sendall(f"dmf talk {hello[0]} of {hello[1]}".ljust(64).encode())
            with pytest.raises(ConnectionError, match=why):
                first.result()


def connected(place: tuple[str, int]) -> socket.socket:
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(place, timeout=20)
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.mark.parametrize(("number", "why"), [(0, "1 of 2 have come"), (1, "the first one does not answer")])
def test_hosts_that_do_not_come(number: int, why: str) -> None:
    with pytest.raises(TimeoutError, match=why):
        Links.of(free(), number, 2, 0.3)


def test_one_who_waits_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupts, "check", check)
    for number in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            Links.of(free(), number, 2, 30)


def test_another_server_at_the_address_is_no_host() -> None:
    with socket.create_server(("localhost", 0)) as server:

        def answer() -> None:
            with contextlib.ExitStack() as stack:
                for _ in range(2):
                    stack.enter_context(server.accept()[0]).sendall(b"HTTP/1.1 400 Bad Request")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionError, match="something else"):
            Links.of(f"localhost:{server.getsockname()[1]}", 1, 2, 20)
        thread.join()
