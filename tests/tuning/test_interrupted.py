"""A search that Ctrl-C, a signal or a kill ends, and the same command again."""

import os
import signal

import pytest

from dmf_cli import interrupts
from tests.tuning.searching import search, states


def test_interrupted_is_gone_on_with(plan, stub, capsys):
    class Interrupted(stub):
        def poll(self):
            if self.path.name == "002" and len(self.rows) == 4 and not self.stop:
                os.kill(os.getpid(), signal.SIGINT)
            return super().poll()

    before = signal.getsignal(signal.SIGINT)
    code, study = search(plan("trials=5"), Interrupted)
    assert code == 130
    assert states(study) == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert signal.getsignal(signal.SIGINT) is before
    assert "run the same command again" in capsys.readouterr().err
    weights = [one.config.loss.expression for one in stub.started]

    code, study = search(plan("trials=5"), stub)
    assert code == 0
    assert states(study) == ["COMPLETE"] * 5
    again = stub.started[3]
    assert again.resume == again.path == stub.started[2].path  # in its folder, from its last epoch
    assert again.config.loss.expression == weights[2]
    assert "2 done before" in capsys.readouterr().out
    assert len({trial.params["weight.bce"] for trial in study.trials}) == 5  # nothing was drawn twice

    code, study = search(plan("trials=6"), stub)
    assert (code, len(study.trials)) == (0, 6)


@pytest.mark.parametrize("code", [130, -signal.SIGINT])
def test_ctrl_c_as_a_trial_ends_does_not_cost_it(plan, stub, code):
    class Late(stub):
        def poll(self):
            if self.path.name == "001" and len(self.rows) == 7 and self.code == 0:
                os.kill(os.getpid(), signal.SIGINT)
                return code
            found = super().poll()
            return None if self.path.name == "001" and found == 0 else found

    assert search(plan("trials=3"), Late)[0] == 130
    stub.started.clear()
    code, study = search(plan("trials=3"), stub)
    assert (code, states(study)) == (0, ["COMPLETE"] * 3)
    assert [one.path.name for one in stub.started] == ["002"]


@pytest.mark.parametrize("code", [130, 143, -signal.SIGINT])
def test_a_trial_that_ctrl_c_ends_as_it_loads_is_taken_up_again(plan, stub, capsys, code):
    class Loading(stub):
        def poll(self):
            if not self.stop:
                os.kill(os.getpid(), signal.SIGINT)
            (self.path / "checkpoints/last.npz").unlink(missing_ok=True)
            return code

        def error(self):
            return "its process was ended by SIGINT"

    assert search(plan("trials=2"), Loading)[0] == 130
    out, err = capsys.readouterr()
    assert "trial 0: interrupted before the end of its first epoch, loss=dice:0.5+bce:0.5\n" in out
    assert err == "interrupted: run the same command again to resume the search\n"
    code, study = search(plan("trials=2"), stub)
    assert (code, states(study)) == (0, ["COMPLETE"] * 2)


def test_ctrl_c_twice_says_how_to_go_on_too(plan, stub, capsys):
    class Twice(stub):
        def poll(self):
            os.kill(os.getpid(), signal.SIGINT)

    assert search(plan("trials=2"), Twice)[0] == 130
    assert Twice.started[0].killed
    assert capsys.readouterr().err == "interrupted: run the same command again to resume the search\n"


@pytest.mark.parametrize(
    ("left", "begun"),
    [
        ("completed", ["002", "003"]),
        ("resumable", ["001", "002", "003"]),
        ("broken", ["001_2", "002", "003"]),
    ],
)
def test_what_a_killed_search_left_is_read_gone_on_with_or_begun_anew(plan, stub, left, begun):
    class Killed(stub):
        def poll(self):
            if self.path.name == "001" and len(self.rows) == 3:
                raise SystemError("the machine is gone")
            return super().poll()

    with pytest.raises(SystemError):
        search(plan("trials=4"), Killed)
    last = Killed.started[-1]
    assert last.killed
    if left == "completed":
        last.status("completed")
    elif left == "broken":
        (last.path / "checkpoints/last.npz").unlink()
    stub.started.clear()
    code, study = search(plan("trials=4"), stub)
    assert code == 0
    assert states(study) == ["COMPLETE"] * 4
    assert [one.path.name for one in stub.started] == begun


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_search_ends_with_the_code_of_its_signal(plan, stub, monkeypatch, number, code):
    class Interrupted(stub):
        def poll(self):
            if len(self.rows) == 2 and not self.stop:
                os.kill(os.getpid(), number)
            return super().poll()

    monkeypatch.setattr(interrupts, "_command", interrupts.Command())
    assert search(plan("trials=3"), Interrupted)[0] == code
