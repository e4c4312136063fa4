"""What a sweep and a search share, with processes that end after some looks."""

import signal

import pytest

from dmf_cli import config as configs
from dmf_cli.jobs import runner
from dmf_cli.jobs.runner import Runner


class Process:
    """Ends with code 0 after as many looks as its job says, or with 130 once it is interrupted."""

    def __init__(self, looks):
        self.looks, self.code, self.killed = looks, 0, False

    def poll(self):
        self.looks -= 1
        return self.code if self.looks <= 0 else None

    def interrupt(self):
        self.looks, self.code = 1, 130

    def kill(self):
        self.killed = True


class Jobs(Runner):
    """Begins the jobs (name, looks) in their order; ``event`` is called after each step."""

    def __init__(self, *jobs, event=lambda self, what: None, **options):
        super().__init__(start=lambda looks, *_, **__: Process(looks), **options)
        self.waiting, self.event, self.log, self.most = list(jobs), event, [], 0

    def begin_next(self):
        while self.room() and self.waiting:
            name, looks = job = self.waiting.pop(0)
            self.begin(job, looks, ())
            self.most = max(self.most, len(self.running))
            self.note(f"begin {name}")
        return bool(self.waiting)

    def look(self, job):
        self.note(f"look {job[0]}")

    def again(self, job, why):
        raise AssertionError(f"{job} has not failed: {why}")

    def ended(self, job, process, code):
        stopped = " stopped" if self.was_stopped(code) else ""
        self.note(f"end {job[0]} {code}{stopped}")

    def note(self, what):
        self.log.append(what)
        self.event(self, what)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(runner, "PAUSE", 0.0)


def signals(*after):
    """An event that sends Ctrl-C when it sees one of ``after``."""
    return lambda jobs, what: signal.raise_signal(signal.SIGINT) if what in after else None


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_so_many_jobs_at_a_time(workers):
    jobs = Jobs(("a", 2), ("b", 3), ("c", 1), workers=workers)
    jobs.run()
    assert sorted(line for line in jobs.log if "look" not in line) == [
        *("begin a", "begin b", "begin c"),
        *("end a 0", "end b 0", "end c 0"),
    ]
    assert jobs.most == min(workers, 3)
    assert (jobs.running, jobs.interrupted, jobs.stopping) == ({}, False, False)


def test_ctrl_c_once_begins_no_more_and_lets_running_jobs_save():
    jobs = Jobs(("a", 9), ("b", 9), event=signals("look a"))
    jobs.run()
    assert jobs.log == ["begin a", "look a", "end a 130 stopped"]
    assert (jobs.interrupted, jobs.waiting) == (True, [("b", 9)])


def test_ctrl_c_as_a_job_begins_interrupts_it_too():
    """It is not among those that run yet when the signal comes."""

    def start(looks, *_, **__):
        signal.raise_signal(signal.SIGINT)
        return Process(looks)

    jobs = Jobs(("a", 9), ("b", 9))
    jobs.start = start
    jobs.run()
    assert jobs.log == ["begin a", "end a 130 stopped"]


def test_ctrl_c_twice_kills():
    running = {}

    def twice(jobs, what):
        running.update(jobs.running)
        if what == "look a":
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    jobs = Jobs(("a", 9), event=twice)
    with pytest.raises(KeyboardInterrupt):
        jobs.run()
    assert [process.killed for process in running.values()] == [True]
    assert jobs.running == {}


def test_the_first_ctrl_c_after_a_stop_of_its_own_kills_nothing():
    """A search that gave up, or a sweep after a failure, still lets running jobs save."""

    def failed_then_ctrl_c(jobs, what):
        if what == "end a 0":
            jobs.stop()
            signal.raise_signal(signal.SIGINT)

    jobs = Jobs(("a", 1), ("b", 3), ("c", 1), event=failed_then_ctrl_c, workers=2)
    jobs.run()
    assert jobs.log == ["begin a", "begin b", "end a 0", "end b 130 stopped"]
    assert jobs.interrupted


def test_it_stops_when_it_is_not_wanted():
    jobs = Jobs(("a", 9), ("b", 9), wanted=lambda: False)
    jobs.run()
    assert jobs.log == ["begin a", "look a", "end a 130 stopped"]
    assert not jobs.interrupted


def test_handlers_of_signals_are_as_before():
    before = signal.getsignal(signal.SIGINT)
    Jobs(("a", 1)).run()
    assert signal.getsignal(signal.SIGINT) is before


class Failing:
    """Ends at its second look with what its job says: a code, the error, and what it has printed."""

    def __init__(self, share, code, error, said=""):
        self.looks, self.code, self.why, self.said, self.share = 2, code, error, said, share

    def poll(self):
        self.looks -= 1
        return self.code if self.looks <= 0 else None

    def error(self):
        return self.why

    def kill(self):
        pass


class Retried(Runner):
    """The jobs in their order; ``outcome(name, running, share)`` says how one ends, see :class:`Failing`."""

    def __init__(self, names, outcome, **options):
        super().__init__(start=self._started, **options)
        self.waiting, self.outcome, self.log = list(names), outcome, []

    def _started(self, config, words, share=None, **_):
        return Failing(share, *self.outcome(words[0], len(self.running) + 1, share))

    def begin_next(self):
        while self.room(self.config) and self.waiting:
            name = self.waiting.pop(0)
            self.begin(name, self.config, [name])
        return bool(self.waiting)

    def again(self, job, why):
        self.log.append(f"again {job}")
        self.waiting.append(job)

    def ended(self, job, process, code):
        self.log.append(f"end {job} {code}")


@pytest.fixture(scope="module", autouse=True)
def a_config():
    Retried.config = configs.compose([])


@pytest.mark.parametrize(
    "failure",
    [
        (1, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"),
        (1, "unexpected ResourceExhaustedError: OOM when allocating tensor"),
        (1, "unexpected MemoryError: "),
        (1, "no process for the job: Cannot allocate memory"),
        (-signal.SIGABRT, "its process was ended by SIGABRT", "terminate called: std::bad_alloc"),
        (-signal.SIGKILL, "its process was ended by SIGKILL, perhaps for want of memory"),
    ],
)
def test_a_job_without_memory_is_tried_again_with_fewer_beside_it(failure):
    """Only two fit at a time."""
    jobs = Retried("abcd", lambda name, running, share: failure if running > 2 else (0, ""), workers=4)
    jobs.run()
    ends = [line for line in jobs.log if line.startswith("end")]
    assert sorted(ends) == ["end a 0", "end b 0", "end c 0", "end d 0"]
    assert sum(line.startswith("again") for line in jobs.log) >= 1
    assert jobs.shares.most <= 3


@pytest.mark.parametrize("needs", [0.3, 0.5, 1.0])
def test_with_fewer_beside_it_a_job_gets_more_of_its_gpu_at_last_all(monkeypatch, needs):
    """Also where the others have ended before it is tried again."""
    monkeypatch.setattr("dmf_cli.machine.gpu_names", lambda: ["0"])
    short = (1, "ResourceExhaustedError: OOM when allocating tensor")

    def outcome(name, running, share):
        return short if name == "a" and share.memory < needs else (0, "")

    jobs = Retried("abcd", outcome, workers=4, per_gpu=4)
    jobs.run()
    assert sorted(line for line in jobs.log if "end" in line) == ["end a 0", "end b 0", "end c 0", "end d 0"]


def test_a_job_that_a_whole_gpu_is_too_small_for_fails(monkeypatch):
    monkeypatch.setattr("dmf_cli.machine.gpu_names", lambda: ["0", "1"])
    short = (1, "ResourceExhaustedError: OOM when allocating tensor")
    jobs = Retried("abcd", lambda name, *_: short if name == "a" else (0, ""), workers=4, per_gpu=2)
    jobs.run()
    assert sorted(line for line in jobs.log if "end" in line) == ["end a 1", "end b 0", "end c 0", "end d 0"]
    assert jobs.shares.most == 4


def test_a_job_that_fits_nowhere_fails_and_the_others_have_company_again():
    killed = (-signal.SIGKILL, "its process was ended by SIGKILL")
    jobs = Retried("abcdef", lambda name, running, share: killed if name == "a" else (0, ""), workers=3)
    jobs.run()
    assert jobs.log.count("end a -9") == 1
    assert sorted(line for line in jobs.log if line.endswith(" 0")) == [f"end {name} 0" for name in "bcdef"]
    assert jobs.shares.most == 3


def test_other_failures_are_not_tried_again():
    jobs = Retried("ab", lambda name, running, share: (1, "a loss became NaN"), workers=2)
    jobs.run()
    assert sorted(jobs.log) == ["end a 1", "end b 1"]


def test_a_job_whose_gpu_fails_gets_another_one(monkeypatch):
    monkeypatch.setattr("dmf_cli.machine.gpu_names", lambda: ["0", "1"])

    def broken(name, running, share):
        return (1, "CUDA_ERROR_ECC_UNCORRECTABLE: failed") if share.gpu == "1" else (0, "")

    jobs = Retried("abc", broken, workers=2)
    jobs.run()
    assert sorted(line for line in jobs.log if "end" in line) == ["end a 0", "end b 0", "end c 0"]
    assert sum("again" in line for line in jobs.log) == 1


def test_a_gpu_that_crashes_the_backend_says_so_in_what_it_printed(monkeypatch):
    monkeypatch.setattr("dmf_cli.machine.gpu_names", lambda: ["0", "1"])
    crash = (-signal.SIGABRT, "its process was ended by SIGABRT", "F0000 CUDA_ERROR_LAUNCH_FAILED: failure")
    jobs = Retried("a", lambda name, running, share: crash if share.gpu == "0" else (0, ""), workers=2)
    jobs.run()
    assert jobs.log == ["again a", "end a 0"]


def test_a_job_that_fails_on_each_gpu_costs_the_others_none(monkeypatch):
    monkeypatch.setattr("dmf_cli.machine.gpu_names", lambda: ["0", "1", "2"])
    used, wrong = set(), (1, "InternalError: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access")

    def outcome(name, running, share):
        used.add((name, share.gpu))
        return wrong if name == "a" else (0, "")

    jobs = Retried("abcd", outcome, workers=3)
    jobs.run()
    assert jobs.log.count("end a 1") == 1
    assert {gpu for name, gpu in used if name == "a"} == {"0", "1", "2"}
    assert sorted(line for line in jobs.log if line.endswith(" 0")) == ["end b 0", "end c 0", "end d 0"]
    assert [share.gpu for share in (jobs.shares.give(name, jobs.config) for name in "xyz")] == ["0", "1", "2"]


def test_the_last_gpu_is_not_given_up(monkeypatch):
    monkeypatch.setattr("dmf_cli.machine.gpu_names", lambda: ["0"])
    jobs = Retried("a", lambda *_: (1, "CUDA_ERROR_UNKNOWN: unknown error"), workers=2)
    jobs.run()
    assert jobs.log == ["end a 1"]
