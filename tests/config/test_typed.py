"""What is typed wins over ``experiment=...`` and ``recipe=...``; and what people type first."""

import pytest

from dmf_cli import conf_files, config, expression
from dmf_cli.cli.main import main
from dmf_cli.config import composer, keys, messages
from dmf_cli.errors import ConfigError

GIVEN = {"folder": ["dataset.dir=/x"], "table": ["dataset.table=/x.csv"], "tfds": ["dataset.name=x"]}
GROUPS = [group for group in conf_files.groups() if group not in conf_files.PRESETS]
CHOICES = [f"{group}={name}" for group in conf_files.PRESETS for name in conf_files.options(group)]


TYPED = {"loss": "ce:1/3+iou", "model": "unet_wide", "optimizer": "sgd", "dataset": "folder"}


@pytest.mark.parametrize("preset", CHOICES)
def test_an_option_that_is_typed_wins_over_every_preset(preset):
    options = {group: TYPED.get(group, conf_files.options(group)[0]) for group in GROUPS}
    words = [f"{group}={option}" for group, option in options.items()] + GIVEN[options["dataset"]]
    plain, found = composer.compose_raw(words), composer.compose_raw([preset, *words])
    for group in GROUPS:
        assert found[group] == plain[group], group


@pytest.mark.parametrize("preset", CHOICES)
def test_the_rest_of_a_preset_stays(preset):
    alone, with_model = (composer.compose_raw([preset, *more]) for more in ([], ["model=unetpp"]))
    assert {k: v for k, v in alone.items() if k != "model"} == {
        k: v for k, v in with_model.items() if k != "model"
    }
    assert with_model.model.name == "unetpp"


def test_single_keys_win_too_and_the_experiment_of_an_experiment_yields():
    found = config.compose(
        ["experiment=reproduce_quick", "model=unet_wide", "model.filters=5", "trainer.epochs=2"]
    )
    assert (found.model.name, found.model.params["filters"], found.trainer.epochs) == ("unet", 5, 2)
    pets = config.compose(["experiment=reproduce_notebook_bus", "dataset.dir=/x", "optimizer=sgd"])
    assert pets.optimizer.learning_rate == 1e-2  # of sgd: the base `notebook` says 1e-3 for adam


def test_a_sweep_of_the_experiment_over_keys_of_a_typed_option_is_left_out():
    jobs = composer.sweep(["experiment=reproduce_ablation", "weighting=var"]).jobs
    assert {config.compose(job).plain["weighting"]["window"] for job in jobs} == {150}
    assert len(jobs) == 2  # its seeds
    assert len(composer.sweep(["experiment=reproduce_ablation", "model=unetpp"]).jobs) == 24


def test_an_experiment_of_ones_own_that_sweeps_over_options_keeps_its_keys_of_them(tmp_path):
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "# @package _global_\nweighting:\n  floor: 0.1\nmodel:\n  filters: 3\n"
        "hydra:\n  sweeper:\n    params:\n      weighting: var,mad\n"
    )
    own = f"hydra.searchpath=['file://{tmp_path}']"
    found = composer.sweep([own, "experiment=mine", "model=unetpp"])
    configs = [config.compose([*job, *found.hydra]) for job in found.jobs]
    assert [(c.weighting.name, c.weighting.params["floor"], c.model.params["filters"]) for c in configs] == [
        ("var", 0.1, 8),
        ("mad", 0.1, 8),
    ]


def test_the_config_that_is_shown_is_the_one_that_is_trained(capsys):
    assert (
        main(["train", "experiment=reproduce_quick", "model=unet_wide", "--cfg", "job", "--package", "model"])
        == 0
    )
    assert "filters: 32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("epochs=3", "unknown key 'epochs': did you mean trainer.epochs?"),
        ("batch_size=8", "did you mean trainer.batch_size?"),
        ("lr=0.1", "did you mean optimizer.learning_rate?"),
        ("learning_rate=0.1", "did you mean optimizer.learning_rate or weighting.learning_rate (of "),
        ("filters=8", "did you mean model.filters?"),
        ("image_size=64", "did you mean dataset.image_size?"),
        ("folds=5", "did you mean split.folds?"),
        ("gpu=0", "did you mean trainer.device?"),
        ("output_dir=x", "did you mean run_dir?"),
        ("warmup=3", "did you mean weighting.warmup or schedule.warmup?"),
        ("absent=max", "did you mean loss.terms.cbdice.absent?"),
        ("optimzer=adam", "did you mean 'optimizer'"),
        (
            "hydra.run.dir=x",
            "hydra.run.dir=x is for runs that Hydra makes, and dmf makes its own: write run_dir=x",
        ),
        ("hydra.sweep.dir=x", "write output_root=x"),
        ("trainer.epochs=3,", "has a comma with no value beside it: write trainer.epochs=3 "),
        ("weighting=var,,mad", "write weighting=var,mad "),
        ("loss=dice,", "write loss=dice "),
        ("loss=dice:1/0", "above 0"),
        ("loss=dice:1/+bce", "cannot read '/"),
        ("loss=dcie:1/3", "did you mean 'dice'"),
    ],
)
def test_what_people_type_first(word, says):
    with pytest.raises(ConfigError) as caught:
        config.compose([word])
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["classes=[a,b]"], "did you mean dataset.classes (of dataset=breast|buid|"),
        (["dataset=busi", "classes=[a,b]"], "unknown key 'classes': did you mean dataset.classes?"),
        (["strata=x"], "did you mean dataset.strata (of dataset="),
        (["threshold=3"], "did you mean metrics.threshold or dataset.threshold (of dataset="),
        (["name=x"], "did you mean dataset.name or run_dir?"),
        (["size=64"], "did you mean dataset.size or dataset.image_size?"),
        (["dir=x"], "did you mean dataset.dir (of dataset="),
        (["data_path=x"], "did you mean dataset.dir (of dataset="),
        (["num_classes=3"], "did you mean dataset.classes (of dataset="),
        (["momentum=0.9"], "did you mean model.momentum or optimizer.momentum (of optimizer=sgd)?"),
        (["alpha=3"], "loss.terms.TERM.alpha (of loss=focal|focal_tversky|tversky)?"),
        (
            ["dataset.strata=x"],
            "dataset=phantom has no such key; leave it out, or use one that has it: dataset=breast, buid, ",
        ),
        (["optimizer.momentum=0.9"], "use one that has it: optimizer=sgd"),
    ],
)
def test_a_key_of_another_option_is_named_with_the_choice_that_brings_it(words, says):
    with pytest.raises(ConfigError) as caught:
        config.compose(words)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_last_part_of_every_key_leads_to_the_whole_one():
    base = composer.base([])
    for key in keys.of_options():
        group, *_, last = key.split(".")
        if last in base or (last == "name" and group != "dataset"):
            continue  # a key of its own; model.name is chosen by model=NAME
        said = str(messages.no_such_key(last, base))
        assert f".{last}" in said, said


def test_a_plus_before_a_group_is_what_the_documents_of_hydra_teach():
    assert config.compose(["+experiment=notebook"]) == config.compose(["experiment=notebook"])
    assert config.compose(["+model=unetpp"]).plain["model"]["name"] == "unetpp"
    assert main(["train", "+experiment=reproduce_quick", "--dry-run"]) == 0
    with pytest.raises(ConfigError, match=r"unknown key 'trainer\.foo'"):
        config.compose(["+trainer.foo=1"])


def test_coefficients_may_be_fractions():
    found = config.compose(["loss=dice:1/3+bce:2/3"]).plain["loss"]["coefficients"]
    assert found == {"dice": 1 / 3, "bce": 2 / 3}
    jobs = composer.sweep(["loss=dice:1/3+bce:2/3,2/4*dice"]).jobs
    assert [config.compose(job).plain["loss"]["coefficients"] for job in jobs] == [found, {"dice": 0.5}]
    assert str(expression.parse("3/4 * dice + bce : 1 / 2", ["bce", "dice"])) == "dice:0.75+bce:0.5"
