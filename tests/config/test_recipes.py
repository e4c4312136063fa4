"""Recipes: keys of several groups under one name, which is no part of what a run is."""

import pytest

from dmf_cli import conf_files, config
from dmf_cli.config.headers import read_header
from dmf_cli.run_folder import identity

RECIPES = conf_files.options("recipe")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_named_in_the_config_and_says_what_to_expect(name):
    assert config.compose([f"recipe={name}"]).plain["recipe"] == name
    header = read_header(conf_files.conf_dir() / "recipe" / f"{name}.yaml")
    assert "memory" in header.time
    assert "Dice" in header.source


def test_the_name_of_a_recipe_is_no_part_of_the_run():
    chosen = config.compose(["recipe=standard"])
    typed = ["augment=strong", "optimizer=adamw", "trainer.epochs=120"]
    assert identity.run_id(chosen) == identity.run_id(config.compose(typed))


def test_an_experiment_goes_before_a_recipe():
    words = ["recipe=standard", "experiment=reproduce_quick"]
    for order in (words, words[::-1]):
        found = config.compose(order)
        assert (found.trainer.epochs, found.optimizer.name) == (25, "adamw")


# Of nnUNetTrainer.py, MIC-DKFZ/nnUNet 0e495086. The decay is 3e-5 there, where a momentum of .99 makes it 100
# times as much.
NNUNET = {
    "optimizer": {
        "name": "sgd",
        "learning_rate": 1e-2,
        "momentum": 0.99,
        "nesterov": True,
        "weight_decay": 3e-3,
        "clipnorm": 12.0,
    },
    "schedule": {"name": "poly", "exponent": 0.9},
    "trainer": {
        "epochs": 1000,
        "batch_size": 12,
        "precision": "mixed_float16",
        "deep_supervision": "auto",
    },
    "predict": {"mirror": "both"},
    "dataset": {"normalize": "zscore"},
    "model": {
        "name": "nnunet",
        "filters": 32,
        "widest": 512,
        "depth": "auto",
        "norm": "instance",
        "activation": "leaky_relu",
        "residual": False,
    },
    "augment": {
        "name": "nnunet",
        "rotate": 0.2,
        "angle": 180.0,
        "scale": 0.2,
        "sizes": [0.7, 1.4],
        "noise": 0.1,
        "deviation": 0.1,
        "blur": 0.2,
        "sigmas": [0.5, 1.0],
        "brightness": 0.15,
        "gains": [0.75, 1.25],
        "contrast": 0.15,
        "contrasts": [0.75, 1.25],
        "low_resolution": 0.25,
        "resolutions": [0.5, 1.0],
        "channel": 0.5,
        "gamma_inverted": 0.1,
        "gamma": 0.3,
        "exponents": [0.7, 1.5],
        "flip": 0.5,
        "flip_vertical": 0.5,
        "cutmix": 0.0,
    },
}


@pytest.mark.parametrize("group", NNUNET)
def test_the_numbers_of_nnunet_are_those_of_its_own_code(group):
    found = config.compose(["recipe=nnunet"]).plain[group]
    assert {key: found[key] for key in NNUNET[group]} == NNUNET[group]
