import subprocess
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

from dmf_cli import config
from dmf_cli.config import composer
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.run_folder import stored_config


def test_the_default_experiment():
    found = config.compose()
    chosen = {
        group: found.plain[group]["name"]
        for group in ("dataset", "model", "weighting", "auxiliary", "optimizer")
    }
    assert chosen == {
        "dataset": "phantom",
        "model": "unet",
        "weighting": "var",
        "auxiliary": "none",
        "optimizer": "adam",
    }
    assert found.loss.expression == "cbdice+bce"
    assert (found.seed, found.split.seed) == (0, 42)
    assert type(found.loss.terms["cbdice"]) is dict


def test_each_term_keeps_its_parameters():
    loss = config.compose(["loss=0.7*cbdice+1e-3*bce", "loss.terms.cbdice.absent=max"]).plain["loss"]
    assert loss["coefficients"] == {"cbdice": 0.7, "bce": 1e-3}
    assert loss["terms"]["cbdice"]["absent"] == "max"
    assert loss["terms"]["cbdice"]["pool"] == "batch"
    assert loss["expression"] == "cbdice:0.7+bce:0.001"


def test_an_overridden_coefficient_changes_the_expression():
    loss = config.compose(["loss=dice+bce", "loss.coefficients.dice=0.7"]).plain["loss"]
    assert loss["expression"] == "dice:0.7+bce"


@pytest.mark.parametrize("spelled", ["dice + bce", "'dice+bce'", "dice :1+1.0* bce"])
def test_spellings_of_one_expression(spelled):
    assert config.compose([f"loss={spelled}"]).plain["loss"]["expression"] == "dice+bce"


def test_any_term_is_an_auxiliary_loss():
    words = ["auxiliary=cbdice", "auxiliary.gamma0=2", "auxiliary.params.absent=max"]
    auxiliary = config.compose(words).plain["auxiliary"]
    assert auxiliary["name"] == "cbdice"
    assert (auxiliary["gamma0"], auxiliary["decay"], auxiliary["every"]) == (2, 0.05, 100)
    assert auxiliary["params"] == {"absent": "max", "pool": "batch", "eps": 1e-6}


def test_an_experiment_sets_several_groups_and_can_be_overridden():
    found = config.compose(["experiment=notebook", "trainer.epochs=2"])
    assert found.loss.expression == "ce+iou+dice"
    assert (found.auxiliary.name, found.weighting.name) == ("cbdice", "var")
    assert (found.weighting.params["warmup"], found.trainer.epochs) == (50, 2)
    assert config.compose(["experiment=notebook", "weighting=fixed"]).plain["weighting"]["name"] == "fixed"


@pytest.mark.parametrize("written", ["nan", "'nan'"])
def test_the_word_nan_stays_a_word(written):
    assert config.compose([f"metrics.empty={written}"]).plain["metrics"]["empty"] == "nan"


def test_yaml_text_reads_back_to_the_same_values(tmp_path):
    before = config.compose(["loss=dice:0.7+bce", "auxiliary=iou", "dataset.image_size=[64,96]"])
    (tmp_path / "config.yaml").write_text(config.to_yaml(before))
    after = stored_config.load_run(tmp_path)
    assert after == before
    assert config.validate(after.plain) == before


def test_inputs_of_a_run_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = config.compose(["dataset=busi", "dataset.dir=images", "split.file=split.json"])
    found = config.with_absolute_paths(before)
    assert (found.dataset.dir, found.split.file) == (
        str(tmp_path / "images"),
        str(tmp_path / "split.json"),
    )
    records = config.with_absolute_paths(config.compose(["dataset.data_dir=records"]))
    assert records.dataset.data_dir == str(tmp_path / "records")
    plain = config.compose(["split.file=null"])
    assert config.with_absolute_paths(plain) == plain


@pytest.mark.parametrize("text", [None, "", "- 1\n", "a: [1\n", "a: ${b}\n"])
def test_a_folder_that_is_no_run(tmp_path, text):
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RunFolderError) as caught:
        stored_config.load_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_override_changes_existing_keys_only():
    before = config.compose()
    after = config.override(before, ["metrics.threshold=0.3", "dataset.image_size=[64,96]"])
    assert after.metrics.threshold == 0.3
    assert after.dataset.image_size == [64, 96]
    assert before.metrics.threshold == 0.5
    for wrong, says in (
        ("metrics.treshold=0.3", "did you mean 'threshold'"),
        ("metrics.threshold=2", "above 0 and below 1"),
        ("+metrics.x=1", "only KEY=VALUE"),
        ("~seed", "only KEY=VALUE"),
        ("seed=1,2", "only KEY=VALUE"),
        ("seed", "not KEY=VALUE"),
    ):
        with pytest.raises(ConfigError, match=says):
            config.override(before, [wrong])


def test_composing_leaves_no_global_state():
    config.compose()
    assert not GlobalHydra.instance().is_initialized()


def test_composing_inside_a_job_leaves_the_job_its_hydra():
    outer = object()
    GlobalHydra.instance().hydra = outer  # type: ignore[assignment]
    try:
        assert config.compose(["loss=dice"]).plain["loss"]["expression"] == "dice"
        assert GlobalHydra.instance().hydra is outer
    finally:
        GlobalHydra.instance().clear()


def test_a_sweep_is_split_into_jobs():
    jobs = composer.sweep(["loss=dice,bce+dice", "seed=0,1", "trainer.epochs=2"]).jobs
    assert len(jobs) == 4
    assert [config.compose(job).plain["loss"]["expression"] for job in jobs] == [
        "dice",
        "dice",
        "bce+dice",
        "bce+dice",
    ]


def test_hydra_makes_no_folder_of_its_own():
    hydra = composer.compose_raw([], hydra=True).hydra
    assert (hydra.run.dir, hydra.output_subdir) == (".", None)
    assert hydra.runtime.choices["hydra/job_logging"] == "none"


def test_composing_and_checking_needs_nothing_heavy():
    heavy = "{'keras', 'tensorflow', 'numpy', 'PIL'}"
    code = f"import sys; from dmf_cli import config; config.compose(); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
