"""The launchers of Hydra's plugins, each with a local sweep of stub jobs; none of them is Hydra's default."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.sweeps.conftest import APART, environment
from tests.sweeps.waiting import states, under_way, wait_for

LAUNCHERS = [
    pytest.param(["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], id="joblib"),
    pytest.param(["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"], id="submitit"),
    pytest.param(["hydra/launcher=ray"], id="ray", marks=pytest.mark.ray),
]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_runs_skips_and_goes_on_like_the_sweep_itself(command, calls, tmp_path, launcher):
    """Workers know loss expressions, configs and losses of one's own; a failure has its reason."""
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("# @package _global_\ndefaults:\n  - override /loss: mine:0.7+ce:0.3\n")
    (tmp_path / "my.py").write_text(
        "import dmf_cli\n@dmf_cli.loss\ndef mine(y_true, y_pred, *, a=2.0): ...\n"
    )
    (tmp_path / "dmf.toml").write_text('plugins = ["my.py"]\n')
    own = ["--config-dir", str(tmp_path / "mine"), "experiment=own"]
    assert command(*own, "seed=0").returncode == 0
    done = command(*own, *launcher, "seed=0,1,70")
    assert done.returncode == 1, done.stderr
    assert sorted(calls()) == ["0", "1", "70"]
    assert "error: job 3 (seed=70): a loss became NaN\n" in done.stderr
    assert "2 of 3 done, 1 failed" in done.stdout
    configs = [yaml.safe_load(file.read_text()) for file in (tmp_path / "out").rglob("config.yaml")]
    assert [one["loss"]["terms"]["mine"] for one in configs] == [{"a": 2.0}] * 3
    assert {one["plugins"]["my"]["path"] for one in configs} == {str(tmp_path / "my.py")}
    if "ray" not in launcher[0]:  # starting a cluster again takes long
        assert command(*own, *launcher, "seed=0,1,70").returncode == 0
        assert sorted(calls()) == ["0", "1", "70", "70 again"]


def test_on_error_stop_reaches_the_workers(command, calls):
    done = command("hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "seed=110,0", "sweep.on_error=stop")
    assert done.returncode == 1
    assert calls() == ["110"]
    assert "1 job(s) are left" in done.stderr


@pytest.mark.parametrize(
    ("launcher", "left"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"], "1 interrupted, 1 not begun"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], "2 interrupted"),
        (["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"], "2 interrupted"),
    ],
    ids=["joblib-1", "joblib-2", "submitit"],
)
def test_ctrl_c_once_saves_what_the_workers_have_under_way(tmp_path, launcher, left):
    """As in a terminal, where all processes of the command's session get the signal."""
    words = [sys.executable, "-c", APART, *launcher, "seed=90", "trainer.epochs=3,4"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    sweep = subprocess.Popen(words, cwd=tmp_path, env=environment(), start_new_session=True, **pipes)
    jobs = int(left[0])
    wait_for(lambda: len(under_way(tmp_path)) == jobs)
    os.killpg(sweep.pid, signal.SIGINT)
    out, err = sweep.communicate(timeout=30)
    assert sweep.returncode == 130
    assert "stopping: running jobs save their state; Ctrl-C again ends them at once\n" in out
    assert f"0 of 2 done, {left}" in out
    assert err == "2 job(s) are left: run the same command again to resume the sweep\n"
    assert states(tmp_path) == ["interrupted"] * jobs
    assert not (tmp_path / "out" / ".sweep" / "stop").exists()


def test_ctrl_c_twice_ends_the_workers_at_once(tmp_path):
    words = [sys.executable, "-c", APART, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=100,0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    sweep = subprocess.Popen(words, cwd=tmp_path, env=environment(), start_new_session=True, **pipes)
    wait_for(lambda: {e.state for e in under_way(tmp_path)} == {"running", "completed"})
    for _ in range(2):
        os.killpg(sweep.pid, signal.SIGINT)
        time.sleep(0.5)
    err = sweep.communicate(timeout=30)[1]
    assert (sweep.returncode, err) == (
        130,
        "1 job(s) are left: run the same command again to resume the sweep\n",
    )
    assert not any(entry.state == "running" for entry in under_way(tmp_path))


def test_a_launcher_that_fails_itself_is_one_line(sweep, calls, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert sweep("hydra/launcher=submitit_slurm", "seed=0,1") == 1
    err = capsys.readouterr().err
    assert 'error: hydra/launcher=submitit_slurm failed: Could not detect "srun"' in err
    assert err.count("\n") == 1
    assert calls() == []
