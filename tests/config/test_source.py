import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError

from dmf_cli import conf_files, config
from dmf_cli.config import composer, source


@pytest.fixture
def expressions():
    return source.ExpressionSource(provider="dmf", path="dmf://")


@pytest.fixture
def loader():
    source.register()
    return ConfigLoaderImpl(create_config_search_path(str(conf_files.conf_dir())))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("loss/dice", True),
        ("loss/0.7*dice+bce", True),
        ("loss/dcie", False),
        ("loss/term/dice", False),
        ("loss", False),
        ("auxiliary/cbdice", True),
        ("auxiliary/none", False),
        ("auxiliary/cbdice+bce", False),
        ("model/unet", False),
        ("dice", False),
    ],
)
def test_answers_for_expressions_and_auxiliary_terms_only(expressions, path, expected):
    assert expressions.is_config(path) is expected
    if not expected:
        with pytest.raises(ConfigLoadError):
            expressions.load_config(path)


def test_lists_real_names_only(expressions):
    assert expressions.list("loss", ObjectType.CONFIG) == conf_files.terms()
    assert expressions.list("auxiliary", None) == conf_files.terms()
    assert expressions.list("loss", ObjectType.GROUP) == []
    assert expressions.list("model", None) == []


def test_options_of_the_groups_as_hydra_sees_them(loader):
    assert loader.get_group_options("loss") == conf_files.terms()
    assert loader.get_group_options("auxiliary") == sorted(
        [*conf_files.terms(), "none", "cbdice_fading", "cbdice_light"]
    )
    assert loader.get_group_options("loss", ObjectType.GROUP) == ["term"]


def test_registering_twice_changes_nothing(loader):
    sources = len(loader.get_sources())
    source.register()
    assert (
        len(ConfigLoaderImpl(create_config_search_path(str(conf_files.conf_dir()))).get_sources()) == sources
    )


def test_a_glob_sweep_runs_each_term_once():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    source.register()
    loader = ConfigLoaderImpl(create_config_search_path(str(conf_files.conf_dir())))
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(["loss=glob(*)"])
    assert list(parsed[0].sweep_string_iterator()) == conf_files.terms()


def test_terms_keep_the_order_of_the_expression():
    assert list(config.compose(["loss=iou+ce+dice"]).plain["loss"]["terms"]) == ["iou", "ce", "dice"]


def test_choices_record_the_expression():
    raw = composer.compose_raw(["loss=iou+ce"], hydra=True)
    assert raw.hydra.runtime.choices.loss == "iou+ce"
