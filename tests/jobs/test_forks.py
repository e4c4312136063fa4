"""Jobs that are forks of one process."""

import fcntl
import os
import select
import signal
import time

import pytest

from dmf_cli import config as configs
from dmf_cli import machine
from dmf_cli.jobs import forks
from dmf_cli.jobs import warm as warm_process
from dmf_cli.jobs.forks import Warm
from dmf_cli.jobs.process import Process
from dmf_cli.jobs.runner import MEMORY

STUB = "tests.jobs.stub_fork"
SECONDS = 30.0  # that a job may take to end


@pytest.fixture
def warm():
    made = Warm("", STUB)
    yield made
    made.close()


@pytest.fixture(scope="module")
def config():
    return configs.compose([])


@pytest.fixture
def start(warm, config):
    """``start("code", "3")`` begins a job; what still runs at the end is killed."""
    begun = []

    def run(*words, **options):
        begun.append(Process(config, words, fork=warm.fork, **options))
        return begun[-1]

    yield run
    for process in begun:
        process.kill()


def ended(process):
    until = time.monotonic() + SECONDS
    while (code := process.poll()) is None and time.monotonic() < until:
        time.sleep(0.01)
    return code


def began(process):
    until = time.monotonic() + SECONDS
    while process.pid is None and time.monotonic() < until:
        process.poll()
        time.sleep(0.01)
    return process.pid


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_exit_code_and_last_words_of_each(start):
    jobs = {code: start("code", str(code)) for code in (0, 1, 2, 7)}
    assert {code: ended(job) for code, job in jobs.items()} == {code: code for code in jobs}
    assert jobs[7].error() == "code 7"
    assert jobs[0].error() == ""


def test_each_has_a_process_and_a_session_of_its_own(start):
    found = []
    for job in [start("where") for _ in range(2)]:
        ended(job)
        found.append([int(number) for number in job.error().split()])
    assert all(pid == session for pid, session, _ in found)
    assert len({pid for pid, _, _ in found}) == 2
    assert len({parent for _, _, parent in found}) == 1
    assert os.getpid() not in found[0]


def test_one_that_is_killed(start):
    dies, ends = start("die"), start("code", "0")
    assert ended(dies) == -signal.SIGKILL
    assert "SIGKILL" in dies.error()
    assert ended(ends) == 0


def test_interrupted_before_it_has_begun(start):
    job = start("wait")
    job.interrupt()
    assert ended(job) == 130


def test_interrupted_and_killed_while_it_runs(start):
    first, second = start("wait"), start("wait")
    assert began(first) != began(second)
    first.interrupt()
    assert ended(first) == 130
    assert second.poll() is None
    second.kill()
    assert second.poll() == -signal.SIGKILL
    assert not runs(second.pid)


def test_a_lock_is_held_as_long_as_its_job_runs(start, tmp_path):
    with (tmp_path / "lock").open("w") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
        job, other = start("wait", keep=[mine.fileno()]), start("wait")
        began(job), began(other)
    with (tmp_path / "lock").open() as again:
        with pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        job.interrupt()
        assert ended(job) == 130
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_when_the_process_that_forks_dies_its_jobs_end(start, warm):
    job = start("wait")
    pid = began(job)
    os.kill(warm._process.pid, signal.SIGKILL)
    assert ended(job) == -signal.SIGKILL
    until = time.monotonic() + SECONDS
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not runs(pid)
    assert warm.lost
    assert ended(start("code", "0")) not in (None, 0), "a new job ends too, and its owner starts another"


def limited(monkeypatch, what):
    """A process that forks jobs on a machine without ``what``."""
    monkeypatch.setattr(forks, "MODULE", "tests.jobs.stub_warm")
    monkeypatch.setenv("STUB_REFUSES", what)
    return Warm("", STUB)


def test_a_job_that_gets_no_process_fails_and_the_others_run_on(monkeypatch, config):
    warm = limited(monkeypatch, "the second process")
    words = ["wait"], ["wait"], ["code", "0"]
    runs_on, refused, ends = (Process(config, each, fork=warm.fork) for each in words)
    assert ended(refused) == 1
    assert MEMORY.search(refused.error()), "it is tried again with fewer beside it"
    assert ended(ends) == 0
    assert runs_on.poll() is None
    assert not warm.lost
    runs_on.kill()
    warm.close()


def test_a_fork_that_cannot_become_a_job_is_not_done(monkeypatch, config):
    warm = limited(monkeypatch, "a session of its own")
    assert ended(Process(config, ["code", "0"], fork=warm.fork)) not in (None, 0)
    warm.close()


def test_a_process_that_nobody_asked_for_ends_unnoticed(warm, start):
    job = start("wait")
    began(job)
    warm._note({"ended": 1, "code": 0})
    assert job.poll() is None


def test_a_signal_can_be_sent_amid_a_look(warm, start):
    """The handler of Ctrl-C sends it while what has been read is not noted yet, and more can be read."""
    first = start("wait")
    began(first)
    note = warm._note

    def interrupted(said):
        if "began" in said:
            select.select([warm._socket], [], [], SECONDS)  # the end of the second job can be read
            first.interrupt()
        note(said)

    warm._note = interrupted
    second = start("code", "0")
    assert ended(second) == 0
    assert ended(first) == 130


def test_numpy_counts_the_processors_of_a_job_as_it_is_loaded(monkeypatch):
    counted, before = [], machine.processor_numbers()
    monkeypatch.setattr(warm_process, "MODULES", ())
    monkeypatch.setattr("dmf_cli.runtime.import_backend", lambda _: counted.append(machine.processors()))
    warm_process._load("tensorflow", 1)
    assert counted == [1]
    assert machine.processor_numbers() == before


def test_it_ends_with_its_owner(warm):
    warm._socket.close()
    warm._process.wait(SECONDS)
    assert warm._process.returncode == 0
