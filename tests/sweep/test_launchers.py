"""The launchers of Hydra's plugins, each with a local sweep of stub jobs; none of them is Hydra's default."""

import pytest

LAUNCHERS = [
    pytest.param(["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], id="joblib"),
    pytest.param(["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"], id="submitit"),
    pytest.param(["hydra/launcher=ray"], id="ray", marks=pytest.mark.ray),
]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_runs_skips_and_goes_on_like_the_sweep_itself(command, calls, tmp_path, launcher):
    """Workers know loss expressions and configs of one's own; a failure is told with its reason."""
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("# @package _global_\ndefaults:\n  - override /loss: dice:0.7+ce:0.3\n")
    own = ["--config-dir", str(tmp_path / "mine"), "experiment=own"]
    assert command(*own, "seed=0").returncode == 0
    done = command(*own, *launcher, "seed=0,1,70")
    assert done.returncode == 1, done.stderr
    assert sorted(calls()) == ["0", "1", "70"]
    assert "error: job 3 (seed=70): a loss became NaN\n" in done.stderr
    assert "2 of 3 done, 1 failed" in done.stdout
    if "ray" not in launcher[0]:  # starting a cluster again takes long
        assert command(*own, *launcher, "seed=0,1,70").returncode == 0
        assert sorted(calls()) == ["0", "1", "70", "70 again"]


def test_on_error_stop_reaches_the_workers(command, calls):
    done = command("hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "seed=110,0", "sweep.on_error=stop")
    assert done.returncode == 1
    assert calls() == ["110"]
    assert "1 job(s) are left" in done.stderr


def test_a_launcher_that_fails_itself_is_one_line(sweep, calls, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert sweep("hydra/launcher=submitit_slurm", "seed=0,1") == 1
    err = capsys.readouterr().err
    assert 'error: hydra/launcher=submitit_slurm failed: Could not detect "srun"' in err
    assert err.count("\n") == 1
    assert calls() == []
