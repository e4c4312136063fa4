import copy
from typing import Literal

import pytest

from dmf_cli import config
from dmf_cli.config import checks, moving, schema
from dmf_cli.errors import ConfigError, UnknownNameError
from tests.raised import raises


def loss(
    y_true, y_pred, *, pool: Literal["batch", "sample"] = "sample", smooth: float = 1e-5, n: int | None = None
):
    return y_true, y_pred, pool, smooth, n


class Strategy:
    def __init__(self, *, total: float | None = 1.0) -> None:
        self.total = total


class Memory(Strategy):
    def __init__(self, *, window: int = 150, **common: float) -> None:
        super().__init__(**common)
        self.window = window


@pytest.fixture(scope="module")
def composed():
    return config.compose()


@pytest.mark.parametrize(
    ("function", "params", "says"),
    [
        (loss, {"smoth": 1}, "unknown key 'w.smoth': did you mean 'smooth'"),
        (loss, {"y_true": 1}, "unknown key 'w.y_true'"),
        (loss, {"smooth": "x"}, "w.smooth is 'x': give a number"),
        (loss, {"smooth": True}, "w.smooth is true"),
        (loss, {"pool": "bacth"}, "w.pool is 'bacth': did you mean 'batch'"),
        (loss, {"n": 1.5}, "w.n is 1.5: give a whole number, or null"),
        (Memory, {"windw": 1}, "did you mean 'window'"),
        (Memory, {"total": "x"}, "w.total is 'x': give a number, or null"),
    ],
)
def test_signature_is_the_schema(function, params, says):
    with pytest.raises(ConfigError) as caught:
        checks.check_params(function, params, "w")
    assert says in str(caught.value)


def test_right_parameters_pass():
    checks.check_params(loss, {"pool": "batch", "smooth": 1, "n": None}, "w")
    checks.check_params(Memory, {"window": 3, "total": None}, "w")


@pytest.mark.parametrize("kind", [k for kinds in schema.NAMED.values() for k in kinds.values()])
def test_every_named_schema_is_a_shipped_option(kind):
    shipped = {(g, name) for g, kinds in schema.NAMED.items() for name, k in kinds.items() if k is kind}
    for group, name in shipped:
        assert config.compose([f"{group}={name}"]).plain[group]["name"] == name


def test_validate_copies(composed):
    before = copy.deepcopy(composed.plain)
    after = config.validate(composed.plain)
    after.plain["loss"]["terms"]["bce"]["label_smoothing"] = 0.5
    assert composed.plain == before


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("trainer.epochs", None, "trainer.epochs is null"),
        ("trainer.patience", 0, "1 or above, or null"),
        ("auxiliary.name", "dcie", "did you mean 'dice'"),
        ("auxiliary.params", None, "auxiliary.params"),
        ("optimizer.momentum", 0.9, "unknown key 'optimizer.momentum'"),
        ("optimizer.learning_rate", 0, "above 0"),
        ("schedule.name", "cosin", "unknown schedule.name 'cosin': did you mean 'cosine'"),
        ("weighting.windw", 3, "did you mean 'window'"),
        ("metrics.threshold", 1.0, "below 1"),
        ("run_dir", 3, "run_dir is 3: give a text, or null"),
        ("trainer", None, "trainer is null: it is a group, give its keys as trainer.KEY=VALUE"),
        ("trainer.monitor", "val_loss.dice", "unknown trainer.monitor 'val_loss.dice'"),
    ],
)
def test_validate_reports_the_first_wrong_key(composed, key, value, says):
    wrong = copy.deepcopy(composed.plain)
    *parents, last = key.split(".")
    node = wrong
    for parent in parents:
        node = node[parent]
    node[last] = value
    with pytest.raises(ConfigError) as caught:
        config.validate(wrong)
    assert says in str(caught.value)


def test_a_missing_group_is_reported(composed):
    with pytest.raises(ConfigError, match=r"^eval is missing: a group cannot be removed"):
        config.validate({key: value for key, value in composed.plain.items() if key != "eval"})


def test_null_list_and_auto_are_left_to_the_function():
    found = config.compose(["weighting.total=null", "weighting.warmup=20", "dataset.image_size=[64,96]"])
    assert (found.weighting.params["total"], found.weighting.params["warmup"]) == (None, 20)


@pytest.mark.parametrize("name", ["hub", "unet_encoder"])
def test_published_weights_take_images_of_one_scale(name):
    words = [f"model={name}", "model.pretrained=true"]
    config.compose(words)
    config.compose([*words, "dataset.normalize=minmax"])
    config.compose([*words[:1], "model.pretrained=false", "dataset.normalize=zscore"])
    with raises(ConfigError, key="dataset.normalize", value="zscore", hint="dataset.normalize=unit"):
        config.compose([*words, "dataset.normalize=zscore"])


def test_a_run_that_was_trained_on_images_of_another_scale_is_still_read():
    """It is scored with other places: `dmf eval RUN dataset.dir=...`."""
    words = ["dataset=folder", "dataset.dir=a", "model=unet_encoder", "model.pretrained=true"]
    stored = config.compose(words).changed("dataset", normalize="zscore")
    moved = moving.changed(stored, ["dataset.dir=b"], moving.PLACES, "")
    assert (moved.dataset.dir, moved.dataset.normalize) == ("b", "zscore")


def test_the_taps_of_the_blur_hold_its_widest():
    config.compose(["augment=nnunet", "augment.sigmas=[0,1]"])
    with raises(ConfigError, key="augment.sigmas", value=[0.5, 1.5], allowed="0 to 1"):
        config.compose(["augment=nnunet", "augment.sigmas=[0.5,1.5]"])


def test_an_encoder_is_looked_up_before_any_image_is_read_whatever_its_capitals():
    config.compose(["model=unet_encoder", "model.encoder=efficientnetb0"])
    with raises(UnknownNameError, key="model.encoder", value="resnet5", allowed="ResNet50"):
        config.compose(["model=unet_encoder", "model.encoder=resnet5"])
