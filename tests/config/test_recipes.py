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
