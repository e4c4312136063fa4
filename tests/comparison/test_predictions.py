"""Runs whose masks were made of probabilities in different ways."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from dmf_cli.comparison import comparable, loading, notes, predictions
from dmf_cli.comparison.compare import compare
from dmf_cli.comparison.settings import place, words
from tests.comparison.conftest import by_name


def test_masks_made_in_another_way_are_another_setting_and_the_comparison_says_so(finished):
    for seed in (0, 1):
        finished(f"plain{seed}", [0.5, 0.6, 0.7], "fixed", seed)
        last = finished(f"auto{seed}", [0.6, 0.6, 0.8], "fixed", seed, metrics__threshold="auto")
    found = compare([last.parent])
    assert set(by_name(found)) == {"metrics.threshold=0.5", "metrics.threshold=auto"}
    assert "threshold 0.5" not in found.described
    assert "masks made in different ways" in found.described
    assert "masks threshold auto or threshold 0.5" in " ".join(notes.conditions(found))
    assert "a difference may come from either" not in " ".join(notes.notes(found))


def test_what_was_chosen_on_validation_is_a_result_and_no_setting(finished):
    for seed, chosen in ((0, 0.41), (1, 0.63)):
        for name in ("fixed", "var"):
            folder = finished(
                f"{name}{seed}",
                [0.5, 0.6],
                name,
                seed,
                metrics__threshold="auto",
                scored={"threshold": chosen},
            )
    found = compare([folder.parent])
    assert set(by_name(found)) == {"weighting=fixed", "weighting=var"}
    assert found.described == "phantom, 2 test images, threshold auto, resolution original, empty nan"
    assert not found.skipped


def test_a_comparison_warns_where_training_and_masks_differ_together(finished):
    for seed in (0, 1):
        finished(f"f{seed}", [0.5, 0.6, 0.7], "fixed", seed)
        last = finished(f"v{seed}", [0.6, 0.6, 0.8], "var", seed, metrics__threshold="auto")
    line = next(line for line in notes.notes(compare([last.parent])) if "from either" in line)
    assert "(metrics.threshold)" in line


def _run(classes=2, **config):
    plain = {
        "weighting.name": "var",
        "metrics.threshold": 0.5,
        "metrics.name": "default",
        "seed": 0,
        **config,
    }
    return loading.Run(Path(), predictions.completed(plain, classes), {}, "", "")


def test_runs_of_before_there_was_a_choice_have_a_plain_threshold():
    old, new = _run(), _run(**{"predict.mirror": True, "predict.decision": "threshold"})
    assert [words(one.setting) for one in place([old, new])] == [
        "predict.mirror=false",
        "predict.mirror=true",
    ]
    same = place([old, _run(seed=1, **{"predict.mirror": False, "predict.holes": "keep"})])
    assert [one.setting for one in same] == [(), ()]


def test_a_threshold_is_a_setting_where_it_decides_only():
    other = {"metrics.threshold": 0.3, "metrics.name": "full"}
    assert [words(one.setting) for one in place([_run(), _run(**other)])] == [
        "metrics.threshold=0.5",
        "metrics.threshold=0.3",
    ]
    assert [one.setting for one in place([_run(3), _run(3, **other)])] == [(), ()]
    dice = {"predict.decision": "dice"}
    assert [words(one.setting) for one in place([_run(), _run(**dice), _run(**other)])] == [
        "metrics.threshold=0.5, predict.decision=threshold",
        "predict.decision=dice",
        "metrics.threshold=0.3, predict.decision=threshold",
    ]
    assert [one.setting for one in place([_run(**dice), _run(**dice, **other)])] == [(), ()]


@pytest.mark.parametrize(
    ("config", "classes", "said"),
    [
        ({}, 2, "threshold 0.5"),
        ({}, 3, "likeliest class"),
        ({"metrics.threshold": "auto"}, 2, "threshold auto"),
        ({"predict.mirror": True, "predict.decision": "dice"}, 2, "mirrored, Dice-optimal"),
        (
            {"predict.mirror": "both", "predict.component": "auto", "predict.holes": "fill"},
            3,
            "mirrored on both axes, likeliest class, largest component if better, holes filled",
        ),
        ({"predict.temperature": "auto"}, 2, "threshold 0.5, calibrated"),
    ],
)
def test_how_masks_were_made_in_words(config, classes, said):
    assert predictions.rule(predictions.completed(config, classes), 0.5, classes) == said


def test_a_run_of_no_rule_does_not_put_the_other_s_first():
    runs = [SimpleNamespace(rule=rule, described="busi, 9 test images") for rule in ("", "threshold 0.4")]
    assert comparable.described(runs) == "busi, 9 test images, masks made in different ways"
