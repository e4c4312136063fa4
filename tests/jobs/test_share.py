"""What each of several jobs may use of the machine."""

import json
import os
import subprocess
import sys

import pytest

from dmf_cli import config as configs
from dmf_cli import machine
from dmf_cli.jobs.share import Share, Shares

SMI = """#!/bin/sh
case "$*" in
  -L) for i in $(seq {gpus}); do echo "GPU $i: Thing (UUID: GPU-$i)"; echo "  MIG 1g: none"; done;;
  *memory.total*) echo "$1" | sed 's/--id=GPU-//; s/--id=//; s/$/000/';;
esac
"""


@pytest.fixture(scope="module")
def config():
    return configs.compose([])


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """``gpus(2)``: the machine has so many, of which the n-th has n thousand MiB."""

    def have(count):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(SMI.format(gpus=count))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return have


@pytest.fixture
def processors(monkeypatch):
    """``processors(8)``: this process may use so many."""

    def have(count):
        monkeypatch.setattr(machine, "processor_numbers", lambda: list(range(count)))
        monkeypatch.setattr(machine, "processors", lambda: count)
        monkeypatch.setattr(machine, "processors_worth", lambda: count)

    return have


@pytest.fixture
def free(monkeypatch):
    """``free(16)``: so many GiB of main memory are not in use."""
    return lambda size: monkeypatch.setattr(machine, "free_memory", lambda: size * 2**30)


def given(shares, config, count):
    """The shares of as many jobs as there is room for, at most ``count``."""
    found = []
    for number in range(count):
        if shares.free(config):
            found.append(shares.give(number, config))
    return found


@pytest.mark.parametrize(("workers", "sizes"), [(2, [2, 2]), (3, [1, 1, 1]), (4, [1, 1, 1, 1])])
def test_jobs_have_processors_of_their_own_and_the_same_number(workers, sizes, processors, config):
    processors(5 if workers == 2 else 4)
    found = [share.processors for share in given(Shares(workers), config, 9)]
    assert [len(part) for part in found] == sizes
    assert len(set(sum(found, ()))) == sum(sizes)


@pytest.mark.parametrize("workers", [8, "auto"])
def test_few_jobs_have_more_of_the_machine_each(workers, processors, free, config):
    processors(8), free(64)
    shares = Shares(workers, jobs=2)
    assert shares.most == 2
    assert [len(share.processors) for share in given(shares, config, 9)] == [4, 4]


@pytest.mark.parametrize(("had", "has"), [(None, 2), (1, 1), (2, 2), (3, 3), (4, 4), (16, 2)])
def test_a_job_that_is_resumed_keeps_the_number_of_processors_that_it_had(had, has, processors, config):
    """Of 4; with more than there are it cannot be, and then it is like all others."""
    processors(4)
    share = Shares(2).give("a", config, had)
    assert len(share.processors or machine.processor_numbers()) == has


def test_one_that_has_fewer_gets_the_idlest(processors, config):
    processors(4)
    shares = Shares(2)
    first = shares.give("a", config)
    assert not set(shares.give("b", config, 1).processors) & set(first.processors)


def test_one_at_a_time_has_them_all(config):
    assert given(Shares(1), config, 9) == [Share()]


def test_more_jobs_than_processors_share_them_evenly(processors, config):
    processors(2)
    found = [share.processors for share in given(Shares(4), config, 9)]
    assert sorted(found) == [(0,), (0,), (1,), (1,)]


def test_what_ended_gives_its_processors_to_the_next(processors, config):
    processors(2)
    shares = Shares(2)
    first, second = given(shares, config, 2)
    assert not shares.free(config)
    assert shares.take_back(0) == first
    assert shares.give(7, config).processors == first.processors != second.processors


@pytest.mark.parametrize(
    ("cores", "memory", "cards", "per_gpu", "most"),
    [(8, 64, 0, 1, 8), (8, 5, 0, 1, 2), (8, 1, 0, 1, 1), (8, 64, 2, 1, 2), (8, 64, 2, 4, 8), (8, 6, 2, 4, 3)],
)
def test_auto(gpus, processors, free, cores, memory, cards, per_gpu, most):
    gpus(cards), processors(cores), free(memory)
    assert Shares("auto", per_gpu).most == most


def test_each_gpu_has_its_jobs_and_no_more(gpus, config):
    gpus(2)
    found = given(Shares(8, per_gpu=2), config, 9)
    assert sorted(share.gpu for share in found) == ["0", "0", "1", "1"]
    assert {share.memory for share in found} == {0.5}


def test_a_job_on_the_processors_needs_no_gpu(gpus, config):
    gpus(1)
    shares = Shares(3)
    assert shares.give("a", config).gpu == "0"
    assert not shares.free(config)
    other = config.changed("trainer", device="cpu")
    assert shares.free(other)
    assert shares.give("b", other).gpu == ""


def test_a_job_has_as_many_gpus_as_it_shares_its_batch_among(gpus, config):
    gpus(4)
    shares, two = Shares(4, per_gpu=2), config.changed("trainer", devices=2)
    assert shares.give("a", config).gpu == "0"
    assert shares.give("b", two).gpu == "1,2"
    assert shares.give("c", two).gpu == "3,0"
    assert not shares.free(config.changed("trainer", devices=4)), "the first GPU has two jobs"
    assert shares.free(config)
    assert shares.take_back("b").gpu == "1,2"
    assert shares.give("d", config.changed("trainer", devices="all")).gpu == "1", "all of what it is given"
    many = Shares(2).give("e", config.changed("trainer", devices=9))
    assert many.gpu == "0,1,2,3", "the job says that there are too few"


def test_gpus_that_failed_together_are_used_no_more(gpus, config):
    gpus(3)
    shares = Shares(2)
    assert shares.without("0,2")
    assert {share.gpu for share in given(shares, config, 9)} == {"1"}


def test_only_visible_gpus_are_used_by_their_names(gpus, config, monkeypatch):
    gpus(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-3,GPU-1")
    assert [share.gpu for share in given(Shares("auto"), config, 9)] == ["GPU-3", "GPU-1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert {share.gpu for share in given(Shares(2), config, 9)} == {""}


def test_parts_of_a_gpu_are_as_many_as_are_visible(gpus, config, monkeypatch):
    gpus(1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a, MIG-b")
    assert [share.gpu for share in given(Shares("auto"), config, 9)] == ["MIG-a", "MIG-b"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert machine.gpu_names() == ["0"], "there is no fourth"


def test_a_gpu_that_failed_is_used_no_more_until_all_are_wanted_again(gpus, config):
    gpus(2)
    shares = Shares(2)
    assert shares.without("1")
    assert [share.gpu for share in given(shares, config, 9)] == ["0"]
    assert not shares.without("0"), "there is no other"
    assert not shares.without("")
    shares.take_back(0)
    shares.with_all_gpus()
    assert [share.gpu for share in given(shares, config, 9)] == ["0", "1"]


TAKE = """
import json, os, sys
from dmf_cli import machine
from dmf_cli.jobs.share import Share
Share.take(json.loads(sys.argv[1]))
names = ("CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_MEM_FRACTION")
print(json.dumps([machine.processor_numbers(), [os.environ.get(n) for n in names], machine.gpu_memory()]))
"""


FREE = """
import sys
from dmf_cli import machine
from dmf_cli.jobs.share import Share
Share.take(Share(jobs=int(sys.argv[1])).plain)
print(machine.free_memory())
"""


def taken(share):
    """Processors, variables and bytes of a GPU's memory of a process that has taken ``share``."""
    done = subprocess.run(
        [sys.executable, "-c", TAKE, json.dumps(share.plain)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_process_keeps_to_its_share(gpus):
    gpus(3)
    last = machine.processor_numbers()[-1]
    numbers, variables, memory = taken(Share((last,), "2", 0.25))
    assert numbers == [last]
    assert variables == ["2", "0.230"]
    assert memory == pytest.approx(0.25 * 0.92 * 2000 * 2**20)


def test_a_whole_gpu_has_no_limit_and_no_share_changes_nothing(gpus):
    gpus(1)
    assert taken(Share(gpu="0")) == [machine.processor_numbers(), ["0", None], None]
    assert taken(Share()) == [machine.processor_numbers(), [None, None], None]


def test_jobs_share_the_free_memory():
    free, shared = (
        int(subprocess.run([sys.executable, "-c", FREE, str(jobs)], capture_output=True, check=True).stdout)
        for jobs in (1, 4)
    )
    assert shared == pytest.approx(free / 4, rel=0.5)


def test_for_a_while_on_as_many_processors_as_a_run_had(processors, monkeypatch):
    kept = []
    monkeypatch.setattr(machine, "keep_to", lambda numbers: kept.append(list(numbers)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda process, numbers: kept.append(list(numbers)))
    processors(4)
    with machine.on_processors(2):
        assert len(set(kept[0]) & {0, 1, 2, 3}) == len(kept[0]) == 2
    assert kept[-1] == [0, 1, 2, 3]
    del kept[:]
    with machine.on_processors(None):
        pass
    assert kept == [[0, 1, 2, 3]]
