"""Sweeps that a signal ends, from the outside or by Ctrl-C, and what is left of them."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from dmf_cli import config as configs
from dmf_cli.jobs.process import Process
from dmf_cli.run_folder.index import Index
from tests.sweeps.conftest import APART, environment
from tests.sweeps.waiting import interrupt_when, press, states, under_way, wait_for


def test_ctrl_c_once_stops_after_saving(sweep, calls, tmp_path, capsys):
    thread = threading.Thread(target=interrupt_when, args=(tmp_path,))
    thread.start()
    assert sweep("seed=90,0") == 130
    thread.join()
    assert states(tmp_path) == ["interrupted"]
    out, err = capsys.readouterr()
    assert "Ctrl-C again ends them at once" in out
    assert "2 job(s) are left: run the same command again" in err
    assert sweep("seed=90,0") == 0
    assert calls() == ["90", "90 again", "0"]


@pytest.mark.parametrize("seed", [120, 130], ids=["noted", "torn"])
def test_ctrl_c_while_a_job_loads_interrupts_it_and_it_begins_anew(sweep, calls, tmp_path, capsys, seed):
    """The import goes on or breaks: neither is the job's failure, and it does not train."""
    loading = tmp_path / "out" / "loading"
    thread = threading.Thread(target=lambda: (wait_for(loading.exists), press()))
    thread.start()
    assert sweep(f"seed={seed},0") == 130
    thread.join()
    out, err = capsys.readouterr()
    assert f"job 1/2 (seed={seed}): interrupted\n" in out
    assert err == "2 job(s) are left: run the same command again to resume the sweep\n"
    assert (calls(), states(tmp_path)) == ([str(seed)], [])


def test_ctrl_c_after_the_last_epoch_leaves_the_job_done(sweep, tmp_path, capsys):
    thread = threading.Thread(target=lambda: (wait_for(lambda: states(tmp_path) == ["completed"]), press()))
    thread.start()
    assert sweep("seed=140,0") == 130
    thread.join()
    assert "1 of 2 done, 1 not begun" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_a_job_can_take_it_waits(tmp_path, number):
    """Python itself takes a while to start, and by default would end with a traceback, or without a word."""
    config = configs.compose([f"output_root={tmp_path / 'out'}", "seed=90"])
    (tmp_path / "out").mkdir()
    job = Process(config, module="tests.sweeps.stub_child")
    os.kill(job.pid, number)
    wait_for(lambda: job.poll() is not None)
    assert job.poll() == 128 + number


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sweep_ends_with_the_code_of_its_signal(tmp_path, number, code):
    words = [sys.executable, "-c", APART, "seed=90", "trainer.epochs=3,4"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    sweep = subprocess.Popen(words, cwd=tmp_path, env=environment(), **pipes)
    wait_for(lambda: under_way(tmp_path))
    sweep.send_signal(number)
    out, err = sweep.communicate()
    assert sweep.returncode == code, out + err
    assert states(tmp_path) == ["interrupted"]


def test_ctrl_c_twice_stops_at_once(sweep, calls, tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=interrupt_when, args=(tmp_path, 2))
    thread.start()
    assert sweep("seed=100,0") == 130
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    out, err = capsys.readouterr()
    assert "0 of 2 done, 1 interrupted, 1 not begun" in out
    assert err == "2 job(s) are left: run the same command again to resume the sweep\n"
    (entry,) = Index(tmp_path / "out").refresh()
    assert (entry.status["state"], entry.state) == ("running", "resumable")


SCRIPT = """
import json, os, sys
from dmf_cli.cli.main import main
from dmf_cli.jobs import process, runner
from dmf_cli.sweeps.runner import SweepRunner
process.MODULE, runner.PAUSE = "tests.sweeps.stub_child", 0.02
grown = []
if sys.argv[1] == "memory":
    begin = SweepRunner._begin
    def measured(self, job):
        pages = int(open("/proc/self/statm").read().split()[1])
        grown.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        begin(self, job)
    SweepRunner._begin = measured
code = main(["train", "-m", "output_root=out", "sweep.warm=false", *sys.argv[2:]])
heavy = [name for name in ("tensorflow", "keras", "jax", "torch") if name in sys.modules]
print(json.dumps({"code": code, "heavy": heavy, "grown": grown}))
"""


def script(tmp_path, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=tmp_path, env=environment(), text=True, **options
    )


def test_the_parent_stays_small_and_loads_no_backend(tmp_path):
    process = script(tmp_path, "memory", "seed=range(20)", "sweep.workers=4", stdout=subprocess.PIPE)
    found = json.loads(process.communicate()[0].splitlines()[-1])
    assert found["code"] == 0
    assert found["heavy"] == []
    jobs = found["grown"]
    assert len(jobs) == 20
    assert (jobs[-1] - jobs[1]) / 18 < 1.0, f"MB after each job: {jobs}"


def test_no_orphans_when_the_parent_is_killed(tmp_path):
    process = script(tmp_path, "kill", "seed=90,0", stdout=subprocess.DEVNULL)
    wait_for(lambda: under_way(tmp_path))
    process.kill()
    process.wait()
    wait_for(lambda: states(tmp_path) == ["interrupted"])
    assert states(tmp_path) == ["interrupted"]
