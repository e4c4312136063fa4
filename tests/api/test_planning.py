"""``dmf_cli.plan`` and ``train(plan="auto")``: the command's plan, with a machine that is made up."""

import json

import pytest

import dmf_cli
from dmf_cli import hints, machine
from dmf_cli.errors import UsageError
from dmf_cli.planning import fingerprint, speed, timing
from dmf_cli.planning.settings import Speed
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import trainer
from tests.planning.test_decide import BUSI
from tests.raised import raises

PHANTOM = {"name": "phantom", "count": 60, "size": 64}
MADE_UP = Speed(5.0, 2.0, 4.0, 0.05, 0.5, 6.0, 6e8)


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: 0)
    monkeypatch.setattr(hints, "PRETRAINED", "no_such_package")
    monkeypatch.setattr(fingerprint, "of", lambda config: BUSI)
    monkeypatch.setattr(timing.Timer, "__call__", lambda self, config: MADE_UP)


def test_a_plan_is_that_of_the_command(capsys):
    from dmf_cli.cli.main import main

    found = dmf_cli.plan(dataset=PHANTOM, budget="5m", trainer={"batch_size": 8})
    assert main(["plan", *found.given, "budget=5m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.as_json()))
    assert "trainer.batch_size=8" in found.overrides
    assert repr(found).endswith(found.command)


def test_a_run_follows_its_plan(monkeypatch, tmp_path):
    trained = {}

    def train(config, plan=None):
        trained.update(config=config, plan=plan)
        run = RunFolder.claim(tmp_path / "run")
        run.write_status("completed", plan=plan)
        run.write_config(dmf_cli.api.run.configs.to_yaml(config))
        run.release()
        return run.path

    monkeypatch.setattr(trainer, "train", train)
    run = dmf_cli.train(plan="auto", budget="5m", dataset=PHANTOM, seed=3)
    assert trained["plan"]["budget"] == 300
    assert run.config.trainer.epochs == trained["config"].trainer.epochs
    assert f"trainer.epochs={run.config.trainer.epochs}" in run.status["plan"]["overrides"]
    assert run.status["plan"]["took"] >= 0


@pytest.mark.parametrize("words", [{"budget": "5m"}, {"plan": "none"}, {"plan": "auto", "budget": "soon"}])
def test_what_is_wrong_is_what_the_command_says(words):
    with raises(UsageError, key="plan" if words.get("plan") == "none" else "budget"):
        dmf_cli.train(dataset=PHANTOM, **words)


def test_objects_are_timed_in_the_process_that_has_them(monkeypatch):
    timed = []
    monkeypatch.setattr(speed, "here", lambda config: timed.append(config) or MADE_UP)

    def half(y_true, y_pred):
        return 0.5 * ((y_true - y_pred) ** 2)

    dmf_cli.plan(dataset=PHANTOM, loss=half)
    assert timed[0].loss.expression == "half"
