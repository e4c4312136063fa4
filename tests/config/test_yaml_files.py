"""Every shipped YAML file: it composes, says what it is, and agrees with the function it configures."""

import pytest
from omegaconf import OmegaConf

from dmf_cli import conf_files, config
from dmf_cli.config import composer
from dmf_cli.config.headers import key_comments, read_header
from dmf_cli.errors import ConfigError
from dmf_cli.parts import registry

CONF = conf_files.conf_dir()
FILES = sorted(CONF.rglob("*.yaml"))
OPTIONS = [(file.parent.name, file.stem) for file in sorted(CONF.glob("*/*.yaml"))]
TERMS = conf_files.terms()
FOLDERS = [file.stem for file in CONF.glob("dataset/*.yaml") if "\nkind: folder " in file.read_text()]
# Files that set another one's parameters to published values.
PRESETS = {
    **{("weighting", f"{name}_reference"): name for name in ("bayes", "mad", "softadapt", "var")},
    ("weighting", "var_reference_pets"): "var",
    **{("auxiliary", f"cbdice_{kind}"): "cbdice" for kind in ("fading", "light")},
    ("model", "resenc"): "nnunet",
    ("model", "unet_wide"): "unet",
}


def mandatory(group, option):
    """Values for the keys that the file leaves to the user."""
    return [f"{key}=x" for key in OmegaConf.missing_keys(composer.compose_raw([f"{group}={option}"]))]


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes(group, option):
    filled = mandatory(group, option)
    found = config.compose([f"{group}={option}", *filled])
    if group not in conf_files.PRESETS and "name" in found.plain[group] and f"{group}.name=x" not in filled:
        assert found.plain[group]["name"] == PRESETS.get((group, option), option)


@pytest.mark.parametrize("term", TERMS)
def test_every_term_is_a_loss_and_an_auxiliary_loss(term):
    found = config.compose([f"loss={term}", f"auxiliary={term}"])
    assert found.loss.terms[term] == found.auxiliary.params


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_every_file_says_what_it_is(file):
    header = read_header(file)
    assert header.title, "the first comment line is the title"
    assert header.source, "# Source: where it comes from"
    assert header.run.startswith("dmf "), "# Run: the command that uses it"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_every_key_says_what_it_means(file):
    comments = key_comments(file)
    leaves = [key for key in comments if not any(other.startswith(f"{key}.") for other in comments)]
    assert [key for key in leaves if not comments[key] and key != "defaults"] == []


def as_yaml(value):
    return list(value) if isinstance(value, tuple) else value


def compare(function, given, *, skip=()):
    from dmf_cli.lookup import keywords

    defaults = {name: p.default for name, p in keywords(function).items() if name not in skip}
    assert given == {name: as_yaml(default) for name, default in defaults.items()}


@pytest.mark.parametrize("term", TERMS)
def test_defaults_of_a_term_are_those_of_its_function(term):
    from dmf_cli import losses

    compare(losses.get(term).func, config.compose([f"loss={term}"]).plain["loss"]["terms"][term])


@pytest.mark.parametrize(("group", "option"), PRESETS)
def test_a_preset_has_the_keys_of_what_it_sets_and_other_values(group, option):
    preset = config.compose([f"{group}={option}"]).plain[group]
    plain = config.compose([f"{group}={preset['name']}"]).plain[group]
    assert preset.keys() == plain.keys()
    assert preset != plain
    number = {"weighting": "total", "model": "filters", "auxiliary": "gamma0"}[group]
    with pytest.raises(ConfigError, match=f"{group}.{number} is 'many'"):
        config.compose([f"{group}={option}", f"{group}.{number}=many"])


@pytest.mark.parametrize("name", [option for group, option in PRESETS if group == "weighting"])
def test_a_preset_of_a_strategy_can_be_trained_with(name):
    from dmf_cli.training import build

    given = config.compose([f"weighting={name}"]).weighting
    strategy = build.strategy(given, [1.0, 1.0], 1000, {"steps_per_epoch": 50, "seed": 0})
    assert (
        strategy.get_config().items()
        >= {key: value for key, value in given.params.items() if value not in (None, "auto")}.items()
    )


@pytest.mark.parametrize(
    "name", [n for n in conf_files.options("weighting") if ("weighting", n) not in PRESETS]
)
def test_defaults_of_a_strategy_are_those_of_its_class(name):
    from dmf_cli import weighting

    given = config.compose([f"weighting={name}"]).plain["weighting"]
    assert given.pop("warmup", "auto") == "auto"
    given.pop("name")
    # prior comes from loss.coefficients; warmup=auto is resolved once the number of steps is known
    compare(getattr(weighting, name), given, skip=("prior", "warmup"))


@pytest.mark.parametrize("name", [n for n in conf_files.options("model") if ("model", n) not in PRESETS])
def test_defaults_of_a_model_are_those_of_its_function(name):
    from dmf_cli import models

    given = config.compose([f"model={name}"]).plain["model"]
    compare(getattr(models, name), {k: v for k, v in given.items() if k not in ("name", "head", "weights")})


@pytest.mark.parametrize("name", registry.names("augmentation"))
def test_an_augmentation_has_the_keys_of_its_function(name):
    """The defaults differ: 0 leaves the images of an earlier run, which lacks the key, as they were."""
    given = config.compose([f"augment={name}"]).augment
    assert set(given.params) == set(registry.definition("augmentation", name).parameters)
    assert config.compose(["augment=none"]).augment.params == {}


@pytest.mark.parametrize("package", ["losses", "weighting", "models"])
def test_every_registered_name_has_a_file(package):
    from importlib import import_module

    group = {"losses": "loss/term", "weighting": "weighting", "models": "model"}[package]
    registered = set(import_module(f"dmf_cli.{package}").__registry__)
    files = {file.stem for file in (CONF / group).glob("*.yaml")}
    assert registered == {name for name in files if (group, name) not in PRESETS}
