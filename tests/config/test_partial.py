"""Keys that only some options of a swept group have, and what an experiment yields to what is typed."""

import pytest

from dmf_cli.cli.main import main
from dmf_cli.config import composer
from dmf_cli.errors import ConfigError
from dmf_cli.sweeps.jobs import plan


def planned(*words):
    """The jobs as text, and what was noted."""
    said = []
    return [str(job) for job in plan(words, said.append).jobs], said


@pytest.mark.parametrize(
    ("words", "jobs", "note"),
    [
        (
            ["weighting=fixed,var", "weighting.warmup=2"],
            ["weighting=fixed", "weighting=var weighting.warmup=2"],
            "weighting.warmup is set for weighting=var only: weighting=fixed has no such key",
        ),
        (  # the default option has no such key either
            ["optimizer=adam,adamw,sgd", "optimizer.momentum=.5"],
            ["optimizer=adam", "optimizer=adamw", "optimizer=sgd optimizer.momentum=0.5"],
            "optimizer.momentum is set for optimizer=sgd only: optimizer=adam, adamw have no such key",
        ),
        (
            ["auxiliary=none,cbdice", "auxiliary.params.absent=max"],
            ["auxiliary=none", "auxiliary=cbdice auxiliary.params.absent=max"],
            "auxiliary.params.absent is set for auxiliary=cbdice only: auxiliary=none has no such key",
        ),
        (
            ["loss=dice+bce,dice+ce", "loss.coefficients.bce=2"],
            ["loss=dice+bce loss.coefficients.bce=2", "loss=dice+ce"],
            "loss.coefficients.bce is set for loss=dice+bce only: loss=dice+ce has no such key",
        ),
    ],
)
def test_a_key_is_applied_where_it_exists(words, jobs, note):
    assert planned(*words) == (jobs, [note])


def test_values_of_a_key_make_no_jobs_of_an_option_without_it():
    jobs, notes = planned("weighting=fixed,var", "weighting.warmup=2,4", "seed=0")
    assert jobs == ["weighting=fixed", *(f"weighting=var weighting.warmup={n}" for n in (2, 4))]
    assert len(notes) == 1


def test_the_options_of_ones_own_model_and_of_an_experiment_count(tmp_path):
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "# @package _global_\nhydra:\n  sweeper:\n    params:\n      schedule: constant,warmup\n"
    )
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "own.yaml").write_text(
        "name: sgd\nlearning_rate: 1e-2\nclipnorm: null\nmomentum: 0.5\nnesterov: false\n"
    )
    own = f"hydra.searchpath=['file://{tmp_path}']"
    jobs, notes = planned(
        own, "experiment=mine", "schedule.warmup=.2", "optimizer=adam,own", "optimizer.nesterov=true"
    )
    assert jobs == [
        "schedule=constant optimizer=adam",
        "schedule=constant optimizer=own optimizer.nesterov=True",
        "schedule=warmup optimizer=adam schedule.warmup=0.2",
        "schedule=warmup optimizer=own optimizer.nesterov=True schedule.warmup=0.2",
    ]
    assert [note.partition(" is set for ")[2] for note in notes] == [
        "schedule=warmup only: schedule=constant has no such key",
        "optimizer=own only: optimizer=adam has no such key",
    ]


@pytest.mark.parametrize(
    "words", [["weighting=fixed,var", "seed=0,1"], ["model=unet,unetpp", "model.filters=4"]]
)
def test_nothing_is_said_of_keys_that_all_have(words):
    assert planned(*words)[1] == []


def test_a_key_that_no_option_has_is_an_error_that_knows_them_all():
    with pytest.raises(ConfigError, match=r"unknown key 'weighting\.warmpu': did you mean 'warmup'"):
        plan(["weighting=fixed,var", "weighting.warmpu=2"])


def test_a_key_that_one_option_lacks_names_the_options_that_have_it():
    with pytest.raises(ConfigError) as caught:
        composer.compose(["optimizer=adam", "optimizer.momentum=.9"])
    assert str(caught.value) == (
        "unknown key 'optimizer.momentum': optimizer=adam has no such key; leave it out, or use one that has "
        "it: optimizer=sgd"
    )
    with pytest.raises(ConfigError, match=r"weighting=fixed has no such key.*has it: weighting=bayes, .*var"):
        plan(["weighting=fixed", "weighting.warmup=2,3"])


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (["model=unet_wide"], {"model.filters": 8}),
        (["model=unet_wide", "model.filters=5"], {}),
        (["weighting=var"], {}),
        (["dataset=phantom,busi"], {"dataset.count": 320, "dataset.size": 64, "dataset.image_size": 64}),
    ],
)
def test_what_an_experiment_yields(words, without):
    found = composer.left_out(["experiment=reproduce_quick", *words])
    assert found.get("experiment=reproduce_quick", {}) == without


def test_a_recipe_and_an_experiment_each_say_what_they_yield():
    found = composer.left_out(["recipe=standard", "experiment=reproduce_quick", "trainer=default"])
    assert found["recipe=standard"] == {"trainer.epochs": 120}
    assert found["experiment=reproduce_quick"] == {"trainer.epochs": 25}


def test_a_sweep_over_experiments_says_it_of_each():
    found = composer.left_out(["experiment=reproduce_quick,notebook", "model=unetpp", "optimizer=sgd"])
    assert found["experiment=reproduce_quick"] == {"model.filters": 8}
    assert found["experiment=notebook"]["optimizer.learning_rate"] == 0.001
    (ablation,) = composer.left_out(["experiment=reproduce_ablation", "weighting=var"]).values()
    assert ablation["weighting.warmup"] == "20,50"


@pytest.mark.parametrize(
    "command",
    [["train", "--dry-run"], ["train", "--cfg", "job"], ["train", "-m", "--dry-run"], ["data", "show"]],
)
def test_it_is_said_in_one_line(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dmf_cli.cli.data_show.run", _data)
    assert main([*command, "experiment=reproduce_quick", "model=unet_wide", "seed=0"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "is typed" in line]
    assert said == [
        "note: as model=unet_wide is typed, experiment=reproduce_quick is used without model.filters=8; "
        "type what you want to keep"
    ]


def _data(words):
    from dmf_cli.cli import data

    data.composed(words)
    return 0
