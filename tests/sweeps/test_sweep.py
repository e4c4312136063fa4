"""Sweeps from the command line to the run folders; the jobs are stubs, their processes are real."""

import threading
import time

import pytest

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.run_folder import identity
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.sweeps.board import Board
from dmf_cli.sweeps.jobs import plan
from dmf_cli.sweeps.runner import SweepRunner
from tests.sweeps.waiting import interrupt_when, states, wait_for


def composed(*overrides):
    return configs.compose(overrides)


def test_the_same_command_again_runs_only_what_is_missing(sweep, calls, tmp_path, capsys):
    assert sweep("seed=0,1") == 0
    assert calls() == ["0", "1"]
    out = capsys.readouterr().out
    assert "job 1/2 (seed=0): done, best val Dice 0.3000, test Dice 0.5000" in out
    assert "2 of 2 done" in out
    assert out.endswith("their mean: dmf compare out\n"), "seeds repeat one setting"
    assert sweep("seed=0,1,2") == 0
    assert calls() == ["0", "1", "2"]
    capsys.readouterr()
    assert sweep("seed=1,2") == 0
    hint = capsys.readouterr().out.splitlines()[-1]
    assert hint.count("out/") == 2, "only the runs of this sweep, for the folder holds others too"
    assert states(tmp_path) == ["completed"] * 3
    assert not (tmp_path / "out" / ".sweep").exists()


def test_a_failure_is_told_the_others_go_on_and_again_goes_on_with_it(sweep, calls, tmp_path, capsys):
    assert sweep("seed=70,80,110,0") == 1
    assert calls() == ["70", "80", "110", "0"]
    err = capsys.readouterr().err
    assert "error: job 1 (seed=70): a loss became NaN\n" in err
    assert "error: job 2 (seed=80): its process was ended by SIGKILL, perhaps for want of memory\n" in err
    assert "error: job 3 (seed=110): there is nothing to train\n" in err
    assert "error: 3 job(s) of the sweep failed, see above" in err
    assert states(tmp_path) == ["completed", "failed", "running"]
    assert sweep("seed=70,80,0") == 0
    assert calls()[4:] == ["70 again", "80 again"]
    assert states(tmp_path) == ["completed"] * 3


def test_a_job_that_is_killed_beside_another_is_resumed_with_fewer_beside_it(sweep, calls, tmp_path, capsys):
    assert sweep("seed=80,0", "sweep.workers=2") == 0
    assert sorted(calls()) == ["0", "80", "80 again"]
    assert "job 1 (seed=80) is tried again: out of memory beside 1 other job(s)\n" in capsys.readouterr().out
    assert states(tmp_path) == ["completed"] * 2


def test_runs_of_several_settings_can_be_compared(sweep, capsys):
    assert sweep("weighting=fixed,var") == 0
    assert capsys.readouterr().out.endswith("compare them: dmf compare out\n")


def test_on_error_stop(sweep, calls, capsys):
    assert sweep("seed=110,0", "sweep.on_error=stop") == 1
    assert calls() == ["110"]
    out, err = capsys.readouterr()
    assert "1 job(s) are left: run the same command again" in err
    assert "stopping: running jobs save their state\n" in out, "nobody has pressed Ctrl-C"


def test_a_job_given_twice_runs_once(sweep, calls, capsys):
    assert sweep("seed=0,0,1") == 0
    assert calls() == ["0", "1"]
    assert "same run as job 1" in capsys.readouterr().out


def test_jobs_at_a_time(sweep, calls, tmp_path):
    """Neither job ends by itself, yet both begin."""
    thread = threading.Thread(target=interrupt_when, args=(tmp_path, 1, 2))
    thread.start()
    assert sweep("seed=90", "trainer.epochs=3,4", "sweep.workers=2") == 130
    thread.join()
    assert states(tmp_path) == ["interrupted"] * 2


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["weighting=fixed,vra"], "did you mean 'var'"),
        (["trainer.epochs=1,0"], "from 1 to"),
        (["seed=0,1", "run_dir=out/x"], "run_dir is 'out/x', the same for jobs 1 (seed=0) and 2 (seed=1)"),
        (["sweep.workers=1,2"], "it is of the whole sweep"),
        (["seed=0,1", "sweep.workers=0"], "from 1 to"),
        (["seed=0,1", "trainer.precision=auto"], "trainer.precision is 'auto', which jobs would try"),
        (["seed=interval(0,1)"], "does not support sweep type"),
        (
            ["dataset=folder", "dataset.dir=nowhere", "seed=0,1"],
            "dataset.dir is 'nowhere', which is not a folder",
        ),
        (["seed=0,1", "hydra/launcher=jolib"], "did you mean 'joblib'"),
        (["seed=range(0)", "model.filters=4,8"], "seed=range(0) has no value: give one at least"),
        (["weighting=glob(zzz*)", "--dry-run"], "weighting=glob(zzz*) has no value"),
        (
            ["seed=0,1", "hydra.sweeper.params.foo=1"],
            "hydra.sweeper.params.foo=1 is for config files: write foo=1",
        ),
        (["seed=range(3"], "'seed=range(3' lacks a )"),
        (["seed=0,1", "sweep.compare=true"], "nothing to compare"),
        (["seed=0,1", "sweep.compare=[seed]"], "nothing to compare by seed"),
        (["split=kfold", "split.fold=0,1", "sweep.compare=true"], "nothing to compare"),
    ],
)
def test_what_is_wrong_is_reported_before_anything_runs(sweep, tmp_path, capsys, overrides, says):
    assert sweep(*overrides) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert (out, err.count("\n")) == ("", 1)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_written_to(sweep, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert sweep("seed=0,1") == 2
    out, err = capsys.readouterr()
    assert "a part of the path is a file" in err
    assert (out, err.count("\n")) == ("", 1)


def test_run_dir_for_each_job(sweep, calls, tmp_path):
    assert sweep("seed=0,1", "run_dir='out/${weighting.name}_${seed}'") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"calls.txt", "var_0", "var_1"}
    assert sweep("seed=0,1", "run_dir='out/${weighting.name}_${seed}'") == 0
    assert calls() == ["0", "1"]


def test_a_run_dir_that_is_something_else(sweep, tmp_path, capsys):
    (tmp_path / "here").mkdir()
    assert sweep("seed=0", "run_dir=here") == 2
    assert "run_dir=here exists already: choose" in capsys.readouterr().err


def test_two_sweeps_share_the_work(sweep, calls, tmp_path):
    """Each job is trained once, and both sweeps end with all of them done."""
    planned = plan(["output_root=out", "seed=range(4)"])
    boards = [Board(planned.jobs) for _ in range(2)]
    threads = [threading.Thread(target=SweepRunner(board).run) for board in boards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(board.of("completed")) for board in boards] == [4, 4]
    assert sorted(calls()) == ["0", "1", "2", "3"]


def test_a_run_of_another_process_is_waited_for(sweep, calls, tmp_path, capsys):
    """As `dmf train` in another terminal: its folder is held, no sweep knows of it."""
    config = composed("output_root=out", "seed=0")
    run = RunFolder.claim(None, root=tmp_path / "out")
    run.write_config("seed: 0\n")
    run.write_status("running", id=identity.run_id(config))

    def end_it():
        wait_for(lambda: calls() == ["1"])
        time.sleep(0.3)
        run.write_status("completed")
        run.release()

    thread = threading.Thread(target=end_it)
    thread.start()
    assert sweep("seed=0,1") == 0
    thread.join()
    assert calls() == ["1"]
    assert "job 1/2 (seed=0): elsewhere, another process runs it" in capsys.readouterr().out


def test_a_run_that_another_process_gives_up_is_gone_on_with(sweep, calls, tmp_path):
    run = RunFolder.claim(None, root=tmp_path / "out")
    run.write_config("seed: 0\n")
    run.write_status("running", id=identity.run_id(composed("output_root=out", "seed=0")))
    run.last_checkpoint.write_text("state")
    timer = threading.Timer(1.5, run.release)
    timer.start()
    assert sweep("seed=0") == 0
    assert calls() == ["0 again"]


def test_a_dry_run_composes_only(sweep, calls, tmp_path, capsys):
    assert sweep("seed=0", "weighting=var") == 0
    capsys.readouterr()
    assert sweep("seed=0,0", "weighting=var,mad", "--dry-run") == 0
    out = capsys.readouterr().out
    header, *lines = out.splitlines()
    assert header.split() == ["job", "weighting", "id", "what", "happens"]
    assert "done: out/" in lines[0]
    assert lines[1].endswith("runs") or "runs" in lines[1]
    assert "same run as job 1" in lines[2]
    assert lines[-1] == "4 job(s), 1 to run, 1 done, 2 duplicate"
    assert calls() == ["0"]


def test_a_dry_run_of_a_single_run(sweep, tmp_path, capsys):
    assert main(["train", "--dry-run", "output_root=out"]) == 0
    assert "1 job(s), 1 to run, 0 done" in capsys.readouterr().out
    assert main(["train", "--dry-run", "--cfg", "job"]) == 2
    capsys.readouterr()
    assert main(["train", "--dry-run", "seed=0,1"]) == 2
    assert "seed=0,1 is a sweep: add -m" in capsys.readouterr().err


@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_one_run_of_an_experiment_that_holds_a_sweep_says_so(sweep, capsys, monkeypatch, dry):
    trained = []
    monkeypatch.setattr("dmf_cli.training.trainer.train", trained.append)
    assert main(["train", *dry, "experiment=reproduce_quick"]) == 0
    out, err = capsys.readouterr()
    held = "(seed=0,1, weighting=fixed,var,mad,bayes)"
    assert err == f"note: one run, the experiment's sweep {held} is that of dmf train -m\n"
    assert len(trained) == (not dry)
    assert not dry or "1 job(s), 1 to run" in out


def test_a_wrong_display_is_told_once(sweep, capsys, monkeypatch):
    monkeypatch.setenv("DMF_DISPLAY", "foo")
    assert sweep("seed=0") == 0
    assert capsys.readouterr().err.count("DMF_DISPLAY is 'foo'") == 1


@pytest.mark.parametrize(
    "word",
    ['sweep.compare="weighting=fixed"', 'sweep.compare="[weighting=fixed]"', "sweep.compare=weighting"],
)
def test_what_is_compared_can_be_typed(sweep, capsys, word):
    """The first two are what the errors about the unquoted forms advise."""
    assert sweep("seed=0", "weighting=fixed,var", word, "--dry-run") == 0
    assert sweep("seed=0", "weighting=mad,var", word.replace("fixed", "vr"), "--dry-run") == 2 * (
        "fixed" in word
    )


def test_choices_in_a_config_file(sweep, calls, tmp_path):
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    text = "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: 3,4\n"
    (folder / "seeds.yaml").write_text(text)
    assert sweep("--config-dir", "mine", "experiment=seeds") == 0
    assert calls() == ["3", "4"]
    assert sweep("--config-dir", "mine", "experiment=seeds", "seed=5") == 0
    assert calls() == ["3", "4", "5"]
