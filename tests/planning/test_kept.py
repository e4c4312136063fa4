"""What a plan may not choose, of configs that are composed once."""

import dataclasses

import pytest

from dmf_cli import config, hints, machine
from dmf_cli.config import composer
from dmf_cli.planning import kept
from dmf_cli.planning.settings import Limits
from tests.planning.test_decide import BUSI


@pytest.fixture(scope="module")
def base():
    return config.compose(["dataset=phantom"])


def limits(base, *words: str, facts=BUSI) -> Limits:
    """With typed ``words``, which ``base`` has already."""
    return kept.limits(base, words, kept.of(base, [w for w in words if "recipe" not in w]), facts, 60.0, None)


def changed(base, **dataset):
    return base.changed("dataset", **dataset)


@pytest.mark.parametrize(
    ("dataset", "others"),
    [
        ({}, {}),
        ({"image_size": 96}, {"dataset.image_size": 96}),
        ({"resize": "letterbox"}, {"dataset.resize": "letterbox"}),
        ({"patch": 32}, {"dataset.image_size": 128}),
    ],
)
def test_what_the_dataset_asks_for_stays_unless_it_is_typed(dataset, others, base):
    found = kept.of(changed(base, **dataset), [])
    assert {key: value for key, (value, _) in found.others.items()} == others
    assert len(found.lines()) == len(others)
    assert not kept.of(changed(base, **dataset), [f"{key}=1" for key in others]).others


@pytest.mark.parametrize(
    ("words", "dataset", "channels", "offered"),
    [
        ([], {}, 1, True),
        ([], {}, 3, True),
        ([], {}, 4, False),
        ([], {"normalize": "zscore"}, 1, False),
        (["dataset.image_size=64"], {"image_size": 64}, 1, True),
        (["dataset.image_size=32"], {"image_size": 32}, 1, False),
        (["dataset.patch=32"], {"patch": 32}, 1, False),
        (["model=unet"], {}, 1, False),
        (["model.dropout=0.1"], {}, 1, False),
        (["augment=strong"], {}, 1, True),
    ],
)
def test_the_pretrained_network_is_for_images_and_settings_that_it_fits(
    words, dataset, channels, offered, base, monkeypatch
):
    facts = dataclasses.replace(BUSI, channels=channels)
    monkeypatch.setattr(hints, "PRETRAINED", "json")
    assert limits(changed(base, **dataset), *words, facts=facts).encoder == offered
    monkeypatch.setattr(hints, "PRETRAINED", "no_such_package")
    assert not limits(changed(base, **dataset), *words, facts=facts).encoder


@pytest.mark.parametrize(
    ("side", "words", "dataset", "offered"),
    [
        (64, [], {}, True),
        (48, [], {}, False),
        (48, ["dataset.image_size=96"], {"image_size": 96}, True),
    ],
)
def test_the_pretrained_network_is_not_for_images_that_are_too_small(
    side, words, dataset, offered, base, monkeypatch
):
    facts = dataclasses.replace(BUSI, height=(side,) * 3)
    monkeypatch.setattr(hints, "PRETRAINED", "json")
    assert limits(changed(base, **dataset), *words, facts=facts).encoder == offered


@pytest.mark.parametrize(("model", "least"), [("unet", 32), ("unet_encoder", 64)])
def test_the_network_of_the_config_says_the_least_size(model, least, base):
    assert limits(base.changed("model", name=model), f"model={model}").least == least


@pytest.mark.parametrize(
    ("words", "device", "offered"),
    [
        ([], "auto", True),
        ([], "cpu", False),
        (["model=unet"], "auto", False),
        (["augment=none"], "auto", False),
    ],
)
def test_the_recipe_for_a_gpu_needs_one_and_a_free_choice(words, device, offered, base, monkeypatch):
    chosen = base.changed("trainer", device=device)
    monkeypatch.setattr(machine, "gpus", lambda: 1)
    assert limits(chosen, *words).nnunet == offered
    monkeypatch.setattr(machine, "gpus", lambda: 0)
    assert not limits(chosen, *words).nnunet


def test_keys_of_a_preset_are_those_that_are_used_and_not_typed():
    words = ["experiment=reproduce_notebook_bus", "model=resunet", "trainer.batch_size=8", "dataset.dir=x"]
    found = composer.preset_keys(words)
    assert found["trainer.epochs"] == "experiment=notebook"  # the one that it builds on
    assert found["output_root"] == "experiment=reproduce_notebook_bus"
    assert not {"model.filters", "trainer.batch_size"} & set(found)
    assert composer.preset_keys(words[1:2]) == {}
