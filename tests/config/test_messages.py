"""What a user reads who has mistyped something: always one line, the closest match where there is one."""

import pytest
import yaml

from dmf_cli import config
from dmf_cli.config import messages
from dmf_cli.errors import ConfigError

TYPOS = {
    "trainer.epohcs=3": "did you mean 'epochs'",
    "model=unett": "unknown option model 'unett': did you mean 'unet'",
    "optimzer=adam": "did you mean 'optimizer'",
    "sed=3": "did you mean 'seed'",
    "loss=dcie": "did you mean 'dice'",
    "loss=bce+dcie": "did you mean 'dice'",
    "auxiliary=cbdcie": "did you mean 'cbdice'",
    "weighting=vra": "did you mean 'var'",
    "weighting.windw=3": "did you mean 'window'",
    "dataset=busy": "did you mean 'busi'",
    "loss.terms.cbdice.absnt=max": "did you mean 'absent'",
    "trainer.backend=tensorfow": "did you mean 'tensorflow'",
    "optimizer.name=adamm": "did you mean 'adam'",
    "phantom": "did you mean dataset=phantom?",
    "experiment=notebok": "did you mean 'notebook'",
}
WRONG = {
    "loss=": "empty",
    "loss=5": "names no option of the group loss",
    "loss=null": "names no option of the group loss",
    "loss=dice+dice": "twice",
    "loss=0.5*(dice)": "cannot read '(dice)'",
    "loss=[dice,bce]": "loss=dice+bce",
    "loss.expression=dice": "loss=cbdice+bce",
    "loss.terms=3": "has no terms",
    "loss.terms.bce=null": "loss.terms.bce.KEY=VALUE",
    "loss.terms.iou.smooth=1": "add it, as loss=cbdice+bce+iou",
    "loss.coefficients.iou=1": "add it, as loss=cbdice+bce+iou",
    "loss.coefficients.bce=0": "above 0",
    "loss.terms.bce.label_smoothing=abc": "give a number",
    "auxiliary.params.absent=max": "choose auxiliary=TERM",
    "auxiliary.gamma0=-1": "0 or above",
    "weighting.window=abc": "weighting.window is 'abc': give a whole number from 2 to",
    "weighting.window=1": "weighting.window is 1: give a whole number from 2 to",
    "weighting.total=0": "weighting.total is 0: give a number above 0, or null",
    "weighting.ceiling=1.5": "weighting.ceiling is 1.5: give a number from 0 to 1",
    "loss.terms.cbdice.absent=mx": "did you mean 'max'",
    "model.head=foo": "model.head is 'foo': allowed: softmax, sigmoid",
    "model.norm=btch": "did you mean 'batch'",
    "model.filters=0": "model.filters is 0: give a whole number from 1 to",
    "model.dropout=2": "model.dropout is 2: give a number of 0 or above and below 1",
    "model.depth=0": "give a whole number from 1 to 16, or auto",
    "dataset.count=2": "dataset.count is 2: give a whole number from 3 to",
    "dataset.size=3": "dataset.size is 3: give a whole number from 16 to",
    "dataset.difficulty=2": "difficulty is 2: give one of easy, medium, hard, or a number from 0 to",
    "dataset.resize=strech": "did you mean 'stretch'",
    "dataset.normalize=x": "allowed: unit, minmax, zscore",
    "dataset.channels=2": "dataset.channels is 2: give 1",
    "dataset.image_size=0": "dataset.image_size is 0: give one side in pixels, as 128, or [height,width]",
    "dataset.image_size=32x32": "dataset.image_size is '32x32': give one side",
    "trainer.epochs=abc": "trainer.epochs is 'abc': give a whole number from 1 to",
    "trainer.epochs=0": "trainer.epochs is 0: give a whole number from 1 to",
    "trainer.epochs=1.5": "whole number",
    "trainer.epochs": "write trainer.epochs=VALUE",
    "trainer.epochs=[1": "lacks a ]",
    "dataset.image_size=[64,": "lacks a ]",
    "+": "without spaces",
    "scans/images": "dataset=folder dataset.dir=scans/images",
    "dataset=scans/images": "dataset=folder dataset.dir=scans/images",
    "dataset=/scans": "dataset.dir=/scans",
    "trainer.epochs=1,2": "add -m",
    "trainer.epochs.foo=3": "trainer.epochs is a value",
    "trainer.jit=maybe": "true or false, or auto",
    "trainer.device=gpus": "gpu:N",
    "trainer=5": "names no option of the group trainer: allowed: default",
    "~trainer": "trainer is missing: a group cannot be removed, change its keys, as trainer.KEY=VALUE",
    "~trainer.epochs": "trainer.epochs is missing",
    "+trainer.foo=1": "unknown key 'trainer.foo'",
    "+foo=1": "unknown key 'foo'",
    "split.fractions=[.5,.5]": "a list of 3 values",
    "split.fractions=[.5,.5,.5]": "must sum to 1",
    "split.fractions=[1,0,0]": "a list of 3 values, each a number above 0 and below 1",
    "eval=3": "eval.KEY=VALUE",
    "seed=-1": "from 0 to",
    "seed=${sede}": "seed refers to ${sede}: key 'sede' not found; write the whole name of another key",
    "loss=DICE+bce": "did you mean 'dice'",
    "seed=${oc.env:DMF_NO_SUCH}": "seed refers to the environment variable DMF_NO_SUCH, which is not set",
    "model.name=unte": "unknown model.name 'unte': did you mean 'unet'? (allowed: attention_unet",
    "model.name=unet_wide": "unknown model.name 'unet_wide'",
    "weighting.name=vra": "unknown weighting.name 'vra': did you mean 'var'",
    "trainer.epochs=${trainer.epohcs}": "'trainer.epohcs' not found",
    "dataset=folder": "dataset.dir is missing: give dataset.dir=VALUE",
    "=3": "has no key",
    "hydra.foo=3": "hydra.foo",
}


@pytest.mark.parametrize(("override", "says"), [*TYPOS.items(), *WRONG.items()])
def test_one_line_that_helps(override, says):
    with pytest.raises(ConfigError) as caught:
        config.compose([override])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("dataset.threshold=-1", "dataset.threshold is -1: give a whole number from 0 to"),
        ("dataset.channels=2", "give one of 1, 3"),
        ("dataset.classes=foo", "dataset.classes is 'foo': give a list of names"),
        ("dataset.classes=[lesion]", "at least one class"),
        ("dataset.classes=[background,background,x]", "'background' is there twice"),
        ("dataset.values=3", "dataset.values is 3: give a mapping"),
        ("dataset.parse=3", "dataset.parse is 3: give a text, or null"),
    ],
)
@pytest.mark.parametrize("name", ["folder", "mine"])  # a dataset of the user has the keys of its kind
def test_keys_of_a_dataset_of_files(name, given, says):
    with pytest.raises(ConfigError) as caught:
        config.compose(["dataset=folder", "dataset.dir=x", f"dataset.name={name}", given])
    assert says in str(caught.value)


def test_other_overrides_do_not_hide_the_wrong_one():
    with pytest.raises(ConfigError, match="did you mean 'smooth'"):
        config.compose(["loss=dice+ce", "trainer.epochs=2", "loss.terms.dice.smoth=1", "seed=1"])


def test_broken_yaml_is_one_line():
    try:
        yaml.safe_load("a: [1\nb: 2")
    except yaml.YAMLError as error:
        text = str(messages.explain(error, []))
    assert text.startswith("not valid YAML")
    assert "line 2" in text
    assert "\n" not in text


def test_a_launcher_that_is_not_installed_names_its_extra():
    from hydra.errors import MissingConfigException

    from dmf_cli.config import messages

    error = MissingConfigException("no", missing_cfg_file="hydra/launcher/ray", options=["basic"])
    assert (
        str(messages.explain(error, []))
        == "hydra/launcher=ray is not installed: pip install '.[ray]' in the folder of dmf's source code"
    )


@pytest.mark.parametrize("typed", ["{0:0,#ff0000:1}", "{'#ff0000':1}", "#FF0000"])
def test_a_colour_with_a_hash_is_written_as_it_can_be_typed(typed):
    key = "dataset.values" if typed.startswith("{") else "dataset.ignore"
    words = ["dataset=folder", "dataset.dir=."]
    with pytest.raises(ConfigError, match="write colours as") as caught:
        config.compose([*words, f"{key}={typed}"])
    advice = str(caught.value).split("write colours as '")[1].removesuffix("'")
    assert "0xff0000" in str(config.compose([*words, advice]).plain["dataset"]).lower()
