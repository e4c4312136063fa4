import dataclasses
import sys
import types

import pytest

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.errors import ConfigError
from dmf_cli.inference.evaluation_config import evaluation_config, prediction_config
from dmf_cli.run_folder import stored_config
from tests.raised import raises


@pytest.fixture
def run(tmp_path):
    config = configs.compose(["dataset.image_size=64", "seed=3", "loss=dice"])
    (tmp_path / "config.yaml").write_text(configs.to_yaml(config))
    return tmp_path


def test_without_overrides_it_is_the_test_split_of_the_run(run):
    config, split = evaluation_config(run, [])
    assert split == "test"
    assert config == stored_config.load_run(run)


def test_a_run_of_a_version_with_fewer_options(run):
    whole = stored_config.load_run(run)
    old = {key: value for key, value in whole.plain.items() if key not in ("report", "tracker", "sweep")}
    split = {key: whole.plain["split"][key] for key in ("fractions", "stratify", "file")}
    earlier = configs.Config(old).with_group("split", {**split, "seed": 7})
    (run / "config.yaml").write_text(configs.to_yaml(earlier))
    config, _ = evaluation_config(run, ["metrics.threshold=0.4"])
    assert config.split == dataclasses.replace(whole.split, seed=7)
    assert config.metrics.threshold == 0.4


def test_masks_of_a_finished_run_are_made_in_another_way(run):
    whole = stored_config.load_run(run).plain
    old = configs.Config({key: value for key, value in whole.items() if key != "predict"})
    (run / "config.yaml").write_text(configs.to_yaml(old))
    words = ["predict.mirror=true", "predict.decision=dice", "metrics.threshold=auto"]
    for config in (evaluation_config(run, words)[0], prediction_config(run, words)):
        assert (config.predict.mirror, config.predict.decision) == (True, "dice")
        assert (config.predict.component, config.metrics.threshold) == ("all", "auto")
    assert prediction_config(run, []).predict.decision == "threshold"
    with raises(ConfigError, key="metrics.empty", reason="changes no mask"):
        prediction_config(run, ["metrics.empty=one"])


def test_split_is_not_the_config_group(run):
    config, split = evaluation_config(
        run, ["split=val", "metrics.threshold=0.3", "dataset.count=90", "split.seed=1"]
    )
    assert split == "val"
    assert (config.split.seed, config.metrics.threshold) == (1, 0.3)


def test_another_dataset_is_prepared_as_the_network_was_trained(run):
    config, _ = evaluation_config(run, ["dataset=busi", "dataset.dir=somewhere", "trainer.batch_size=4"])
    assert (config.dataset.name, config.dataset.dir) == ("busi", "somewhere")
    assert config.dataset.image_size == 64
    assert (config.seed, config.trainer.batch_size) == (3, 4)
    config, _ = evaluation_config(run, ["dataset=busi", "dataset.dir=somewhere", "dataset.image_size=32"])
    assert config.dataset.image_size == 32
    # 12 bits kept in 16 are as bright as they were in the training, as for `dmf predict`.
    own = configs.compose(["dataset=folder", "dataset.dir=here", "dataset.range=[0,4095]"])
    (run / "config.yaml").write_text(configs.to_yaml(own))
    for word, limits in ((), [0, 4095]), (("dataset.range=null",), None):
        config, _ = evaluation_config(run, ["dataset=folder", "dataset.dir=there", *word])
        assert (config.dataset.dir, config.dataset.range) == ("there", limits)


def test_full_metrics_of_a_run_that_was_trained_without(run):
    config, _ = evaluation_config(run, ["metrics.threshold=0.3"])
    (run / "config.yaml").write_text(configs.to_yaml(config))
    config, _ = evaluation_config(run, ["metrics=full", "metrics.missed=nan", "metrics.tolerance=3"])
    assert config.metrics.name == "full"
    assert (config.metrics.missed, config.metrics.tolerance) == ("nan", 3)
    assert config.metrics.threshold == 0.3  # as the run was scored
    config, _ = evaluation_config(run, ["metrics=full", "metrics.threshold=0.4"])
    assert config.metrics.threshold == 0.4


@pytest.mark.parametrize(
    ("overrides", "fields"),
    [
        (["split=tset"], {"key": "split", "value": "tset"}),
        (["metrics.treshold=0.3"], {"key": "metrics.treshold", "value": "treshold"}),
        (["dataset=busy"], {"value": "busy"}),
        (["dataset=folder"], {"what": "dataset.dir is missing"}),
        (["metrics.threshold=2"], {"key": "metrics.threshold", "value": 2, "allowed": "below 1"}),
        (["metrics.threshold=otto"], {"key": "metrics.threshold", "value": "otto"}),
        (["predict.decision=dise"], {"key": "predict.decision", "value": "dise"}),
        (["predict.mirors=true"], {"key": "predict.mirors"}),
        (["metrics=full", "metrics.missed=diagnal"], {"key": "metrics.missed", "value": "diagnal"}),
        (["metrics=full", "metrics.connectivity=3"], {"value": 3, "allowed": "1, 2"}),
        (["model=unet"], {"key": "model", "reason": "changes no score"}),
        (["trainer.epochs=3"], {"key": "trainer.epochs", "reason": "changes no score"}),
        (["split.seed=1"], {"key": "split.seed", "reason": "changes no score"}),
        (["metrics={threshold: 0.4}"], {"key": "metrics", "allowed": "single keys"}),
        (["loss.terms.dice.smooth=1"], {"key": "loss.terms.dice.smooth", "reason": "changes no score"}),
        (["loss=bce"], {"key": "loss", "hint": "omit it; dmf eval takes split="}),
        (["trainer=default"], {"key": "trainer", "reason": "changes no score"}),
        (["eval=network"], {"what": "eval is 'network'"}),
        (["splits=val"], {"key": "splits", "value": "splits"}),
        (["trainer.batch_sizes=3"], {"allowed": "['backend', 'batch_size', 'deterministic', 'device']"}),
        (["+trainer.foo=3"], {"what": "trainer.foo"}),
    ],
)
def test_wrong_overrides(run, overrides, fields):
    with raises(ConfigError, **fields):
        evaluation_config(run, overrides)


def test_an_unknown_key_lists_what_is_taken_alone(run):
    with raises(ConfigError) as caught:
        evaluation_config(run, ["splits=val"])
    assert str(caught.value).startswith("unknown key 'splits': did you mean 'split'? (allowed: ")
    assert not {"loss", "output_root"} & set(caught.value.allowed or ())


def test_the_score_is_asked_for_and_shown(run, monkeypatch, capsys):
    asked, result = [], types.SimpleNamespace(summary={"settings": {"split": "val_threshold=0.3"}})
    score, tables = types.ModuleType("score"), types.ModuleType("tables")
    score.evaluate_runs = lambda *arguments: asked.append(arguments) or result  # type: ignore[attr-defined]
    score.place = lambda paths: paths[0]  # type: ignore[attr-defined]
    tables.render = lambda result: "THE TABLE"  # type: ignore[attr-defined]
    import dmf_cli.inference

    for name, stub in (("score", score), ("tables", tables)):
        monkeypatch.setitem(sys.modules, f"dmf_cli.inference.{name}", stub)
        monkeypatch.setattr(dmf_cli.inference, name, stub, raising=False)
    assert main(["eval", str(run), "split=val"]) == 0
    assert asked == [([run], stored_config.load_run(run), "val", None)]
    out = capsys.readouterr().out
    assert "THE TABLE" in out
    assert f"written to {run}/metrics/val_threshold=0.3_*" in out


@pytest.mark.parametrize(
    ("state", "said"), [("completed", ""), ("interrupted", "is interrupted"), ("running", "broke off")]
)
def test_the_score_of_a_run_that_is_not_complete_says_so(run, monkeypatch, capsys, state, said):
    from dmf_cli.inference import score, tables

    (run / "status.json").write_text(f'{{"state": "{state}"}}')
    result = types.SimpleNamespace(summary={"settings": {"split": "test"}})
    monkeypatch.setattr(score, "evaluate_runs", lambda *arguments: result)
    monkeypatch.setattr(tables, "render", lambda result: "THE TABLE")
    assert main(["eval", str(run)]) == 0
    assert capsys.readouterr().err == (
        f"warning: the run {said}: this is its best network so far\n" * bool(said)
    )
