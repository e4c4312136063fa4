"""YAML files of ``--config-dir`` may be anybody's: nothing that they name is run."""

import json

import pytest
from omegaconf import OmegaConf

from dmf_cli.cli.main import main
from dmf_cli.config import code, composer
from dmf_cli.errors import ConfigError
from tests.raised import raises

CALL = "{_target_: builtins.open, file: ran, mode: w}"
MADE = "'${oc.create:{_target_:builtins.open,file:ran,mode:w}}'"
BODIES = {
    "callback": f"hydra:\n  callbacks:\n    mine: {CALL}\n",
    "callback that is made": f"hydra:\n  callbacks:\n    mine: {MADE}\n",
    "launcher": "hydra:\n  launcher:\n    _target_: builtins.open\n",
    "in a sweeper": f"hydra:\n  sweeper:\n    params: {{seed: [{CALL}]}}\n",
    "logging": "hydra:\n  job_logging:\n    handlers: {mine: {(): builtins.open, file: ran, mode: w}}\n",
    "variables": "hydra:\n  job:\n    env_set: {LD_PRELOAD: ran.so}\n",
    "model": f"model:\n  more: {CALL}\n",
}


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Writes an experiment into a folder of somebody else's; the words that use it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs/experiment").mkdir(parents=True)

    def write(name):
        text = f"# @package _global_\n{BODIES[name]}"
        (tmp_path / "theirs/experiment/evil.yaml").write_text(text)
        return ["hydra.searchpath=['file://theirs']", "+experiment=evil"]

    return write


@pytest.mark.parametrize("name", BODIES)
def test_nothing_that_a_config_names_is_run(name, experiment, tmp_path):
    with pytest.raises(ConfigError, match=r"names code|does nothing for dmf"):
        composer.compose_raw(experiment(name))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("more", [["-m", "seed=0,1"], ["-m", "hydra/sweeper=basic"]])
def test_neither_in_a_sweep(more, experiment, tmp_path, capfd):
    experiment("callback")
    assert main(["train", "--config-dir", "theirs", "+experiment=evil", *more]) == 2
    assert capfd.readouterr().err.startswith("error: hydra.callbacks={'mine': {'_target_': 'builtins.open',")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("more", ["[{a: MADE}]", "MADE", "{a: '${also}'}"])
def test_no_reference_stands_for_a_mapping_in_what_hydra_makes(more):
    launcher = f"{{_target_: hydra_plugins.mine.Mine, more: {more.replace('MADE', MADE)}, name: '${{seed}}'}}"
    text = f"seed: 3\nalso: {{a: 1}}\nhydra: {{sweeper: null, launcher: {launcher}}}\n"
    with raises(ConfigError, reason="names code"):
        code.check(OmegaConf.create(text))
    code.check(OmegaConf.create(text.replace(more.replace("MADE", MADE), "1")))


def chain(levels, width=2):
    """Levels of texts, each of which repeats the next one ``width`` times."""
    return {f"a{level}": f"${{hydra.job.env_set.a{level + 1}}}" * width for level in range(levels)}


@pytest.mark.parametrize(
    "files",
    [
        {"experiment/evil": {"hydra": {"job": {"env_set": chain(26), "name": "${hydra.job.env_set.a0}"}}}},
        {
            "experiment/evil": {
                "hydra": {"job": {"env_set": chain(10)}},
                "defaults": [{"override /model": "mine"}],
            },
            "model/mine": {"name": "unet", "more": chain(10)},
        },
        {"experiment/evil": {"defaults": [{"override /model": "${x}" * 26}]}},
        {"experiment/evil": {"seed": ["&a ${b}", *["*a"] * 30]}},
    ],
    ids=["hydra", "of two files", "defaults", "anchors"],
)
def test_references_are_counted_before_hydra_resolves_any(files, tmp_path):
    """Hydra resolves some of ``hydra.job`` itself, all of a list of defaults, and nodes that are merged."""
    for name, body in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = json.dumps(body).replace('"&a ${b}"', '&a "${b}"').replace('"*a"', "*a")
        (tmp_path / f"{name}.yaml").write_text(f"# @package _global_\n{text}\n")
    with pytest.raises(ConfigError, match=r"has \$\{\.\.\.\} in (more than )?\d+ places"):
        composer.compose_raw([f"hydra.searchpath=['file://{tmp_path}']", "+experiment=evil"])


def test_launchers_of_hydra_are_what_they_were():
    assert composer.sweep(["hydra/launcher=basic", "seed=0,1"]).settings.hydra.launcher["_target_"]
    with raises(ConfigError, key="hydra.launcher._target_", value="os.system"):
        composer.compose_raw(["hydra.launcher._target_=os.system"])
