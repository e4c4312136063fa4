"""What a sweep ends with: comparisons by what was asked, separately where images differ."""

import dataclasses

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.errors import ConfigError
from dmf_cli.run_folder import stored_config
from dmf_cli.sweeps import conclusion
from dmf_cli.sweeps.conclusion import Question, questions


def test_questions_are_keys_with_or_without_a_baseline():
    assert questions(False) == []
    assert questions(True) == [Question()]
    assert questions(["weighting=fixed", "loss,seed"]) == [
        Question(("weighting",), "weighting=fixed"),
        Question(("loss", "seed")),
    ]
    assert questions("a.b,weighting=fixed") == questions(["a.b,weighting=fixed"])
    assert questions("[weighting=fixed, loss]") == questions(["weighting=fixed", "loss"])


def asked(compare, apart=None):
    return dataclasses.replace(configs.compose().sweep, compare=compare, apart=apart)


def runs_of(folders):
    return [(folder, stored_config.load_run(folder)) for folder in folders]


def test_one_comparison_is_written_beside_the_runs(sweep):
    root = sweep(seeds=7, gain=0.1, noise=0.01)
    runs = runs_of(sorted(root.iterdir()))
    ((place, one),) = conclusion.conclude(root, runs, asked(["weighting=fixed"]))
    assert place == root / "comparison"
    assert one.baseline == "weighting=fixed"
    assert {"comparison.md", "comparison.tex", "differences.png", "report.html"} <= {
        file.name for file in place.iterdir()
    }


def test_only_the_runs_of_the_sweep_count(sweep):
    root = sweep(seeds=3, gain=0.1)
    runs = [run for run in runs_of(sorted(root.iterdir())) if "2" not in run[0].name]
    ((_, one),) = conclusion.conclude(root, runs, asked(True), page=False)
    assert [len(row.group.means) for row in one.rows] == [2, 2]


def test_each_option_is_compared_over_the_others_and_the_seeds(finished):
    rng = np.random.default_rng(0)
    made = [
        finished(f"{window}{every}", rng.random(9), "mad", weighting__window=window, weighting__every=every)
        for window in (50, 150)
        for every in (1, 5)
    ]
    root = made[0].parent
    found = conclusion.conclude(
        root, runs_of(made), asked(["weighting.window=150", "weighting.every"]), page=False
    )
    assert [place.name for place, _ in found] == ["weighting.window", "weighting.every"]
    assert [len(row.group.means) for _, one in found for row in one.rows] == [1, 1, 1, 1]
    assert [one.within for _, one in found] == [
        ((("weighting.every", "1"),), (("weighting.every", "5"),)),
        ((("weighting.window", "150"),), (("weighting.window", "50"),)),
    ]
    assert found[0][1].baseline == "weighting.window=150"


def test_other_images_are_compared_separately_with_an_overview(finished):
    made = [
        finished(
            f"{name}{count}{seed}",
            np.linspace(0.1, 0.5, 6) + (0.3 if name == "var" else 0) + 0.01 * seed,
            name,
            seed,
            fingerprint=str(count),
            dataset__count=count,
        )
        for name in ("fixed", "var")
        for count in (10, 20)
        for seed in range(7)
    ]
    root = made[0].parent
    found = conclusion.conclude(root, runs_of(made), asked(["weighting=fixed"], "dataset.count"), page=False)
    assert [place.name for place, _ in found] == ["dataset.count=10", "dataset.count=20"]
    text = (root / "comparison" / "overview.md").read_text()
    assert "| foreground.dice | dataset.count=10 | dataset.count=20 |" in text
    assert "| weighting=var | 0.630 \\* | 0.630 \\* |" in text
    one_part = [path for path in made if "20" in path.name]
    conclusion.conclude(root, runs_of(one_part), asked(["weighting=fixed"], "dataset.count"), page=False)
    assert not (root / "comparison" / "overview.md").exists()  # it would report figures that have changed


@pytest.mark.parametrize(
    ("compare", "apart", "says"),
    [
        (["wieghting"], None, "did you mean 'weighting'"),
        (["weighting=fixd"], None, "no job has weighting=fixd: they have weighting=fixed,var"),
        (["model"], None, "all jobs have model=unet"),
        (True, "dataset.cuont", "did you mean 'count'"),
    ],
)
def test_what_cannot_be_compared_is_reported_before_the_first_run(composed, compare, apart, says):
    with pytest.raises(ConfigError, match=says):
        conclusion.check(asked(compare, apart), [composed["fixed"], composed["var"]])
    conclusion.check(asked(["weighting=var"], "dataset"), [composed["fixed"], composed["var"]])
