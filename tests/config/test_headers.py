from dmf_cli.config import keys
from dmf_cli.config.headers import Header, key_comments, read_header

TEXT = """\
# @package _global_
# Dice loss: one minus the soft
#   Dice coefficient.
# Source: Milletari, 2016.
# Run: dmf train loss=dice

# not part of the header
pool: sample # what it pools
group:
  inner: "a # b" # with a sign
  bare: 1
last: # empty
"""


def test_header_joins_continued_lines(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(TEXT)
    title = "Dice loss: one minus the soft Dice coefficient."
    assert read_header(file) == Header(title, "Milletari, 2016.", "dmf train loss=dice")


def test_header_of_a_bare_file_is_empty(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("a: 1\n# Source: too late\n")
    assert read_header(file) == Header()


def test_key_comments_have_dotted_names(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(TEXT)
    assert key_comments(file) == {
        "pool": "what it pools",
        "group": "",
        "group.inner": "with a sign",
        "group.bare": "",
        "last": "empty",
    }


def test_default_choices_are_those_of_hydra():
    from dmf_cli import conf_files
    from dmf_cli.config import composer

    choices = composer.compose_raw([], hydra=True).hydra.runtime.choices
    found = keys.default_choices()
    assert {group: choices[group] for group in conf_files.groups() if choices[group] is not None} == {
        group: option for group, option in found.items() if option != "null"
    }


def test_meanings_cover_every_key_of_the_default_config():
    from dmf_cli import config

    def leaves(node, prefix=""):
        for key, value in node.items():
            if isinstance(value, dict) and value:
                yield from leaves(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"

    meanings = keys.meanings(keys.default_choices())
    missing = [key for key in leaves(config.compose().plain) if not meanings.get(key)]
    assert missing == ["loss.expression"]


def test_meanings_have_the_type_of_the_key_and_what_its_comment_says():
    found = keys.meanings({"trainer": "default", "loss": "dice", "dataset": "busi"})
    assert found["trainer.epochs"].startswith("(int in [1, 1000000]|auto) passes over the training images")
    assert found["loss.terms.dice.smooth"].startswith("(float > 0) ")
    assert found["loss.coefficients.dice"] == "(float > 0) coefficient of the term"
    assert found["dataset.download.licence"] == "what its owners allow"


def test_meanings_of_an_option_that_builds_on_another():
    found = keys.meanings({"split": "kfold", "auxiliary": "cbdice_light", "weighting": "var_reference_pets"})
    assert {"split.seed", "split.folds", "auxiliary.params.absent", "weighting.floor"} <= found.keys()
    assert "split.defaults" not in found
