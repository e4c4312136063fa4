"""Which images a comparison counts, and what becomes of those that only one setting can score."""

import json
import math

import numpy as np
import pytest

from dmf_cli.comparison import cases, tables
from dmf_cli.comparison.cases import ImageCase
from dmf_cli.comparison.compare import compare
from dmf_cli.errors import RunFolderError
from tests.raised import raises

NAN = math.nan


def by_name(found):
    return {row.group.name.removeprefix("weighting="): row for row in found.rows}


@pytest.fixture
def lesions(finished):
    """Runs on images of which the first ``absent`` have no lesion.

    ``alarms`` of these are marked all the same, and the lesions ``missed`` are not marked at all.
    """

    def write(
        name, scores, strategy, seed, *, absent=0, alarms=(), missed=(), metric="foreground.dice", **more
    ):
        recall = [NAN if i < absent else 0.0 if i in missed else 0.7 for i in range(len(scores))]
        fpr = [0.01 if i in alarms or (i >= absent and i not in missed) else 0.0 for i in range(len(scores))]
        columns = {"foreground.recall": recall, "foreground.fpr": fpr}
        return finished(name, scores, strategy, seed, metric=metric, columns=columns, **more).parent

    return write


def test_a_false_alarm_does_not_turn_the_sign_of_a_distance(lesions):
    """Better on all 35 lesions, with one false alarm on an image that is undefined for the other."""
    rng = np.random.default_rng(0)
    for seed in range(7):
        base = rng.uniform(3, 6, 35) + rng.normal(0, 0.02)
        lesions(f"f{seed}", [NAN, *base], "fixed", seed, absent=1, metric="foreground.hd95")
        better = base - 0.27 + rng.normal(0, 0.02)
        folder = lesions(
            f"v{seed}", [181.0, *better], "var", seed, absent=1, alarms=[0], metric="foreground.hd95"
        )
    found = compare([folder], metric="hd95")
    one = by_name(found)["var"].versus
    assert one.difference.mean == pytest.approx(-0.27, abs=0.03)
    assert one.difference.high < 0
    assert found.verdict.startswith("weighting=var is better")
    assert by_name(found)["var"].own > 9  # the runs' own tables have the 181 pixels
    (alarms,) = found.events
    assert (alarms.kind, alarms.images) == ("false alarms", 1)
    assert [(row.mean, row.images, row.only) for row in alarms.rows] == [(1.0, 1, 1), (0.0, 0, 0)]
    assert alarms.rows[0].versus.difference.mean == 1.0
    assert not alarms.rows[0].significant  # it is one image, whatever the seeds
    notes = " ".join(tables.notes(found))
    assert "35 of 36 images count; not: 1 without the structure in the truth" in notes
    ((heading, rows),) = tables.event_cells(found).items()
    assert heading == "false alarms, of 1 image: count a repetition"
    assert [(one[0], one[2]) for one in rows] == [
        ("weighting=var", "1.000 ± 0.000"),
        ("weighting=fixed", "0.000 ± 0.000"),
    ]


def test_an_image_without_a_lesion_never_counts_because_every_network_marks_something(lesions):
    for seed in range(3):
        for strategy in ("fixed", "var"):
            folder = lesions(f"{strategy}{seed}", [0.0, 0.5, 0.7], strategy, seed, absent=1, alarms=[0])
    found = compare([folder], metric="dice")
    assert found.images == ("image 001", "image 002")
    assert [one.everywhere for one in found.counted.excluded] == [0]
    assert by_name(found)["var"].mean.mean == pytest.approx(0.6)
    assert found.events[0].rows[0].mean == 1.0


def test_a_rule_that_scores_empty_images_is_kept(lesions):
    for strategy, alarm in (("fixed", 1.0), ("var", 0.0)):
        for seed in range(2):
            folder = lesions(
                f"{strategy}{seed}", [alarm, 0.5, 0.7], strategy, seed, absent=1, scored={"empty": "one"}
            )
    found = compare([folder], metric="dice")
    assert (len(found.images), found.events) == (3, ())
    assert "all 3 images count" in " ".join(tables.notes(found))


def test_missed_lesions_are_a_row_and_not_an_advantage(lesions, tmp_path):
    """With missed=nan a setting that misses the 6 hardest lesions is not better for it."""
    rng = np.random.default_rng(1)
    hard = 2.0 + 0.3 * np.arange(30)
    for seed in range(8):
        base = hard + rng.normal(0, 0.05) + rng.normal(0, 0.02, 30)
        lesions(f"f{seed}", base, "fixed", seed, metric="foreground.hd95", scored={"missed": "nan"})
        other = hard + rng.normal(0, 0.05) + rng.normal(0, 0.02, 30)
        other[24:] = NAN
        folder = lesions(
            f"v{seed}",
            other,
            "var",
            seed,
            missed=range(24, 30),
            metric="foreground.hd95",
            scored={"missed": "nan"},
        )
    found = compare([folder], metric="hd95")
    assert not by_name(found)["var"].versus.significant
    assert abs(by_name(found)["var"].versus.difference.mean) < 0.1
    (missed,) = found.events
    assert (missed.kind, missed.images) == ("missed", 30)
    rows = {row.group.name: row for row in missed.rows}
    assert rows["weighting=var"].versus.difference.mean == pytest.approx(6.0)
    assert rows["weighting=var"].significant
    tables.write(tmp_path, found)
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["images"]["count"] == 24
    assert content["images"]["excluded"] == [
        {"why": "missed", "everywhere": 0, "images": [f"image {i:03}" for i in range(24, 30)]}
    ]
    by_setting = {row["setting"]: row for row in content["events"][0]["settings"]}
    assert by_setting["weighting=var"]["images_only_here"] == 6
    assert by_setting["weighting=var"]["significant"] is True


def test_too_few_images_are_refused_in_one_line(lesions):
    for strategy, gone in (("fixed", ()), ("var", range(2, 12))):
        for seed in range(2):
            scores = [NAN if i in gone else 3.0 + i for i in range(12)]
            how = {"metric": "foreground.hd95", "scored": {"missed": "nan"}}
            folder = lesions(f"{strategy}{seed}", scores, strategy, seed, missed=gone, **how)
    fields = {"value": "foreground.hd95", "hint": "`dmf eval RUN metrics.missed=diagonal`"}
    with raises(RunFolderError, key="--metric", what="most in weighting=var: 10", **fields) as caught:
        compare([folder], metric="hd95")
    assert "on 2 of 12 test images only, too few to compare (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fold_in_which_nothing_can_be_scored_adds_no_image(finished):
    """Five finished folds are five folds, if two of them have no lesion."""
    for strategy in ("fixed", "var"):
        for seed in range(2):
            for fold in range(3):
                absent = 2 if fold == 0 else 0
                scores = {f"image {fold}{i}": NAN if absent else 0.5 + 0.1 * i for i in range(2)}
                how = {"split__folds": 3, "split__fold": fold}
                columns = {"foreground.recall": [NAN if absent else 0.5] * 2, "foreground.fpr": [0.0] * 2}
                name = f"{strategy}{seed}{fold}"
                folder = finished(name, scores, strategy, seed, columns=columns, **how)
    found = compare([folder.parent], metric="dice")
    assert found.skipped == ()
    assert len(found.images) == 4
    assert [(one.kind, len(one.images)) for one in found.counted.excluded] == [("absent", 2)]


@pytest.mark.parametrize(
    ("metric", "settings", "says"),
    [
        ("foreground.dice", {"empty": "nan"}, True),
        ("foreground.dice", {"empty": "one"}, False),
        ("class.a.hd95_mm", {"empty": "one", "missed": "diagonal"}, True),
        ("foreground.nsd", {"empty": "one", "missed": "nan"}, True),
        ("foreground.nsd", {"empty": "one", "missed": "diagonal"}, False),
        ("foreground.recall", {"empty": "nan"}, False),  # undefined by the truth alone, for every network
        ("foreground.lesion_fp", {"empty": "nan"}, False),
    ],
)
def test_metrics_that_are_about_what_is_there(metric, settings, says):
    assert cases.by_truth(metric, settings) is says


def test_a_mean_over_classes_is_of_those_that_are_there():
    """A false alarm of class b does not halve the score of an image of class a."""
    row = {
        "id": "x", "mean.dice": "0.4",
        "class.background.dice": "1", "class.background.recall": "1", "class.background.fpr": "0",
        "class.a.dice": "0.8", "class.a.recall": "0.7", "class.a.fpr": "0.1",
        "class.b.dice": "0", "class.b.recall": "", "class.b.fpr": "0.02",
        "class.c.dice": "", "class.c.recall": "", "class.c.fpr": "0",
    }  # fmt: skip
    scores, found = cases.read([row], "mean.dice", True)
    assert scores == {"x": 0.8}
    assert found == {"x": ImageCase(True, 1.0, 0.0)}
    assert cases.read([row], "mean.dice", False)[0] == {"x": 0.4}
    _, alone = cases.read([row], "class.b.dice", True)
    assert (alone["x"].there, alone["x"].false_alarms) == (False, 1.0)


def test_a_class_that_is_not_there_is_a_false_alarm_also_where_every_image_counts(finished):
    """Each image has one of two classes: a second one that is marked beside it is in no score."""
    for seed in range(2):
        for strategy, alarm in (("fixed", 0.0), ("var", 0.2)):
            columns = {
                "class.background.dice": [0.9] * 4, "class.background.recall": [0.9] * 4,
                "class.background.fpr": [0.1] * 4,
                "class.a.dice": [0.7, 0.8, NAN, NAN], "class.a.recall": [0.7, 0.7, NAN, NAN],
                "class.a.fpr": [0.1, 0.1, 0.0, 0.0],
                "class.b.dice": [*([0.0 if alarm else NAN] * 2), 0.6, 0.5],
                "class.b.recall": [NAN, NAN, 0.7, 0.7], "class.b.fpr": [alarm, alarm, 0.1, 0.1],
            }  # fmt: skip
            scores = [0.35 if alarm else 0.7, 0.4 if alarm else 0.8, 0.6, 0.5]
            name = f"{strategy}{seed}"
            folder = finished(name, scores, strategy, seed, metric="mean.dice", columns=columns)
    found = compare([folder.parent], metric="mean.dice")
    assert len(found.images) == 4
    assert by_name(found)["var"].versus.difference.mean == 0.0
    (alarms,) = found.events
    assert {row.group.name: row.mean for row in alarms.rows} == {"weighting=fixed": 0.0, "weighting=var": 2.0}
    notes = " ".join(tables.notes(found))  # the tables of a run have another figure of the same name
    assert "mean.dice: of each image the mean over the classes that its truth holds" in notes
    assert "it counts as 0 in that file and as a false alarm here" in notes
    assert "false alarms: counts a repetition, each class of an image counts" in notes


def test_tables_that_do_not_say_what_is_there():
    scores, found = cases.read([{"id": "x", "foreground.dice": ""}], "foreground.dice", True)
    assert math.isnan(scores["x"])
    assert found["x"].there is None
