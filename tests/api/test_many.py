"""Sweeps, comparisons, replays and searches from Python; their jobs are stubs."""

import functools
import os
import signal

import numpy as np
import pytest

import dmf_cli
from dmf_cli.errors import ConfigError, RunError, UnknownNameError
from dmf_cli.jobs import process
from dmf_cli.replaying.tables import USED
from dmf_cli.sweeps.runner import SweepRunner
from dmf_cli.tuning import search as searching
from dmf_cli.tuning.runner import SearchRunner
from tests.api.conftest import TINY
from tests.comparison.conftest import composed, finished
from tests.raised import raises
from tests.tuning.conftest import Stub

__all__ = ["composed", "finished"]  # fixtures
FAILS = (
    70  # the seed of a stub that fails; to import it from there would replace what jobs of this process do
)


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "MODULE", "tests.sweeps.stub_child")
    monkeypatch.setattr("dmf_cli.jobs.runner.BACKENDS", ())  # no forks: the stub needs no backend
    monkeypatch.setattr("dmf_cli.jobs.runner.PAUSE", 0.02)
    return functools.partial(dmf_cli.sweep, output_root=tmp_path / "out")


def test_a_sweep_gives_its_runs_and_does_none_twice(sweep, tmp_path):
    (tmp_path / "out").mkdir()
    runs = sweep(seed=range(2), loss=["ce", "dice+ce"], workers=2)
    assert len(runs) == 4
    assert sorted(zip(runs.table["loss"], runs.table["seed"], strict=True)) == [
        ("ce", "0"), ("ce", "1"), ("dice+ce", "0"), ("dice+ce", "1"),
    ]  # fmt: skip
    assert runs.table["dice"].tolist() == [0.5] * 4
    again = sweep(seed=range(2), loss=["ce", "dice+ce"], workers=2)
    assert [run.path for run in again] == [run.path for run in runs]
    assert len((tmp_path / "out/calls.txt").read_text().split()) == 4
    assert [run.path for run in runs[1:3]] == [run.path for run in list(runs)[1:3]]
    assert repr(runs) == "Runs(4 completed)"
    assert runs._repr_html_().count("<tr>") == 5


def test_what_failed_is_said_and_does_not_end_the_others(sweep, tmp_path):
    (tmp_path / "out").mkdir()
    runs = sweep(seed=[0, FAILS])
    assert (len(runs), list(runs.failed)) == (1, [f"seed={FAILS}"])
    assert f"seed={FAILS}: " in runs._repr_html_()
    with raises(RunError, what="all 2 jobs"):
        sweep(seed=FAILS, loss=["dice", "ce+dice"])


def test_an_interrupted_sweep_raises_and_the_same_call_continues(sweep, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(SweepRunner, "begin_next", lambda runner: os.kill(os.getpid(), signal.SIGINT) or True)
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt, match="2 job"):
            sweep(seed=range(2))
        assert signal.getsignal(signal.SIGINT) is before
    assert len(sweep(seed=range(2))) == 2


def test_a_wrong_setting_of_any_job_is_raised_before_the_first(sweep, tmp_path):
    with raises(UnknownNameError, value="dicee"):
        sweep(loss=["ce", "dicee"])
    assert not (tmp_path / "out").exists()


# --- compare ---


@pytest.fixture
def study(finished):
    """Two strategies, three seeds; the second is better on every image."""
    rng = np.random.default_rng(0)
    return [
        dmf_cli.load(finished(f"{name}{seed}", 0.5 + gain + 0.02 * rng.random(20), weighting=name, seed=seed))
        for name, gain in (("fixed", 0.0), ("var", 0.2))
        for seed in range(3)
    ]


def test_a_comparison_has_a_table_a_verdict_and_plots(study, tmp_path):
    found = dmf_cli.compare(study, baseline={"weighting": "fixed"}, margin=0.01)
    assert found.table["setting"].tolist() == ["weighting=var", "weighting=fixed"]
    assert found.table["difference"][0] == pytest.approx(0.2, abs=0.02)
    assert found.verdict == found.result.verdict
    for kind in ("differences", "images", "curves"):
        assert found.plot(kind).png().startswith(b"\x89PNG")
    assert found.plot().save(tmp_path / "a.png").stat().st_size > 1000
    page = found._repr_html_()
    assert "data:image/png" in page
    assert "weighting=var" in page
    assert (found.save(tmp_path / "written") / "comparison.csv").exists()


def test_a_comparison_takes_runs_paths_and_folders_alike(study):
    folder = study[0].path.parent
    verdicts = {
        dmf_cli.compare(given, by="weighting", metric="foreground.dice").verdict
        for given in (study, folder, str(folder), [str(run.path) for run in study])
    }
    assert len(verdicts) == 1
    assert len(dmf_cli.compare(folder, only={"weighting": "var"}).table["setting"]) == 1


def test_what_cannot_be_compared_is_raised(study):
    with raises(UnknownNameError, key="plot"):
        dmf_cli.compare(study).plot("bars")
    with raises(ConfigError):
        dmf_cli.compare(study, baseline="weighting=mad")


# --- replay ---


def test_replay_gives_the_weights_of_each_step(run):
    weights = dmf_cli.replay(run, ["mad", "fixed"], warmup=2, window=4)
    assert list(weights) == [USED, "mad", "fixed"]
    steps = run.steps["step"]
    for table in weights.values():
        np.testing.assert_array_equal(table["step"], steps)
        np.testing.assert_allclose(table["squared"] + table["ce"], 1.0, rtol=1e-5)
    np.testing.assert_allclose(weights["fixed"]["ce"], 0.5)


def test_replay_refuses_what_it_cannot_know(run):
    with raises(UnknownNameError, value="madd"):
        dmf_cli.replay(run, "madd")
    with raises(UnknownNameError, value="windoww"):
        dmf_cli.replay(run, "mad", windoww=3)
    with raises(ConfigError, key="weighting"):
        dmf_cli.replay(run, [3])


# --- tune ---


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr("dmf_cli.jobs.runner.PAUSE", 0.0)
    monkeypatch.setattr(searching, "SearchRunner", functools.partial(SearchRunner, start=Stub))


def test_tune_gives_what_train_takes(stub, tmp_path):
    rate = {"optimizer.learning_rate": "interval(1e-4,1e-2)"}
    tune = functools.partial(dmf_cli.tune, loss="dice+bce", study=tmp_path / "study", **{**TINY, **rate})
    study = tune(trials=6)
    assert len(study.table["trial"]) == 6
    assert study.value == max(study.table["val_foreground_dice"])
    assert set(study.best) == {"loss", "weighting", "optimizer.learning_rate"}
    assert study.best_run.path.parent == tmp_path / "study/trials"
    assert study.command.startswith("dmf train -m ")
    assert str(tmp_path) in study._repr_html_()
    assert len(tune(trials=7).table["trial"]) == 7
