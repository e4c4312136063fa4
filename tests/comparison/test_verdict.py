"""What a comparison says first: who is better, what is excluded, what limits it, what was kept equal."""

import csv
import dataclasses
import gc
import json
import re
import tracemalloc

import numpy as np
import pytest

from dmf_cli.comparison import movement, naming, needs, notes, paper, tables, verdict
from dmf_cli.comparison.compare import compare
from dmf_cli.comparison.equivalence import Equivalence, claims, equivalence
from dmf_cli.comparison.groups import Group
from dmf_cli.comparison.versus import versus
from dmf_cli.errors import ConfigError
from dmf_cli.terminal import formats
from tests.raised import raises

DICE = "foreground.dice"


def group(name, scores):
    seeds = tuple((("seed", str(i)),) for i in range(len(scores)))
    return Group((("weighting", name),), seeds, ((),) * len(scores), np.asarray(scores))


def study(gain=0.0, seeds=7, images=40, by_seed=0.01, by_image=0.0):
    """One setting against its baseline."""
    rng = np.random.default_rng(1)
    base = rng.uniform(0.3, 0.9, (1, images)) + rng.normal(0, by_seed, (seeds, 1))
    reacts = rng.normal(0, by_image, (1, images)) if by_image else 0.0
    noise = rng.normal(0, by_seed, (seeds, images))
    (one,) = versus([(group("var", base + gain + reacts + noise - noise.mean()), group("fixed", base))])
    return one


def test_nothing_shown_says_how_large_a_difference_is_excluded():
    one = study()
    held = [verdict.Contrast("var", one)]
    assert verdict.of(held, DICE, False) == "var was not shown to be better or worse than weighting=fixed"
    reach = max(abs(one.difference.low), abs(one.difference.high))
    assert f"beyond about {formats.significant(reach)} Dice in either direction" in verdict.excluded(
        held, DICE, False
    )


def test_a_lopsided_interval_says_each_end_in_the_direction_of_the_metric():
    one = study()
    lopsided = dataclasses.replace(one.difference, low=-0.01, high=0.05)
    held = [verdict.Contrast("var", dataclasses.replace(one, difference=lopsided))]
    assert "0.05 Dice for the better or 0.01 for the worse" in verdict.excluded(held, DICE, False)
    assert "0.01 px HD95 for the better or 0.05" in verdict.excluded(held, "foreground.hd95", True)


def test_a_setting_of_one_seed_is_not_said_to_be_excluded_with_the_others():
    rng = np.random.default_rng(2)
    base = group("fixed", rng.normal(0.7, 0.01, (10, 30)))
    known, single = (
        group("mad", rng.normal(0.7, 0.01, (10, 30))),
        group("var", rng.normal(0.9, 0.01, (1, 30))),
    )
    tested = versus([(known, base), (single, base)])
    said = verdict.excluded(
        [verdict.Contrast(name, one) for name, one in zip(("mad", "var"), tested, strict=True)], DICE, False
    )
    assert said.startswith("Excluded, with 95 % confidence")
    assert said.endswith("; of var it is not known, which takes two seeds or more on each side")
    alone = verdict.power([verdict.Contrast("var", *versus([(single, base)]))], DICE, 30)
    assert "with 1 seed against 10 no difference, however large, could have been shown" in alone


def test_a_winner_is_named_with_its_size_and_needs_no_exclusion():
    held = [verdict.Contrast("var", study(0.1))]
    assert "var is better than weighting=fixed by 0.1 Dice (95 % interval" in verdict.of(held, DICE, False)
    assert "var is worse" in verdict.of(held, "foreground.fpr", True)
    assert verdict.excluded(held, DICE, False) == ""


@pytest.mark.parametrize(
    ("spread", "says"),
    [
        ({"by_seed": 0.03}, "The seeds limit this answer"),
        ({"by_seed": 0.002, "by_image": 0.1}, "The test images limit this answer"),
        ({"seeds": 3}, "with 3 seeds no difference, however large, could have been shown"),
    ],
)
def test_what_limits_the_answer_is_said(spread, says):
    assert says in verdict.power([verdict.Contrast("var", study(**spread))], DICE, 40)


def test_images_that_are_too_few_are_counted_and_nothing_contradicts_it():
    """It used to say "too few, whatever the seeds" and then "6 for 0.01"."""
    one = study(by_seed=0.002, by_image=0.1)
    said = verdict.power([verdict.Contrast("var", one)], DICE, 40, [0.01, 0.2])
    assert re.search(r"6 for 0\.2, and about \d+ test images \(40 count now\) with 20 seeds for 0\.01", said)
    few, many = needs.needed([one], [0.01, 0.02], 40)
    assert few.images > many.images > 40
    assert "whatever the seeds" not in said


def test_equal_settings_are_equivalent_and_the_sentence_says_so():
    one = study(by_seed=0.002)
    (test,) = equivalence([one], 0.02)
    assert test.shown
    held = [verdict.Contrast("var", one, test)]
    assert (
        "var is practically equivalent to weighting=fixed: a difference of 0.02 Dice or more"
        in verdict.of(held, DICE, False)
    )
    assert verdict.excluded(held, DICE, False) == ""  # the margin is what is excluded
    two = verdict.of([*held, verdict.Contrast("mad", one, test)], DICE, False)
    assert two.startswith("var and mad are practically equivalent to weighting=fixed: a difference of 0.02")
    not_shown = verdict.of([verdict.Contrast("var", one, Equivalence(0.02, 0.4))], DICE, False)
    assert "nor equivalent to it within 0.02 Dice" in not_shown


def test_the_p_value_is_the_level_at_which_the_interval_just_fits_the_margin():
    one = study(0.004)
    (test,) = equivalence([one], 0.02)
    half = one.difference.parts.half(2 * test.p)
    assert abs(one.difference.mean) + half == pytest.approx(0.02)
    (beyond,) = equivalence([study(0.03)], 0.02)
    assert beyond.p > 0.5
    single = versus([(group("var", np.ones((1, 9))), group("fixed", np.ones((1, 9))))])
    assert not equivalence(single, 0.5)[0].shown  # of one seed nothing is known of others


def test_equivalence_is_corrected_over_settings():
    one = study()
    alone, three = equivalence([one], 0.02)[0].p, equivalence([one] * 3, 0.02)[0].p
    assert three == pytest.approx(min(1.0, 3 * alone))


@pytest.mark.parametrize("margin", [0.0, -0.01, float("nan"), float("inf")])
def test_a_margin_is_positive_and_finite(margin):
    with raises(ConfigError, key="--margin", allowed="a finite number above 0"):
        equivalence([], margin)


@pytest.mark.parametrize(("seeds", "settings", "reacts"), [(7, 1, 0.0), (3, 1, 0.0), (5, 2, 0.05)])
def test_equivalence_is_claimed_falsely_in_at_most_one_study_in_twenty(seeds, settings, reacts):
    false = claims(300, seeds, 40, settings, reacts, gain=0.02)
    assert false <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_equivalence_is_claimed_where_settings_are_equal():
    assert claims(50, 10, 100, 1, 0.0, gain=0.0) > 0.5


def steps(folder, rows, name="steps.csv"):
    with (folder / name).open("w") as file:
        file.write("step,epoch,loss,weight.dice,weight.bce\n")
        file.writelines(f"{i},1,0.5,{a},{b}\n" for i, (a, b) in enumerate(rows))


def test_weights_are_the_mean_over_steps_with_their_range(tmp_path):
    steps(tmp_path, [(0.4, 0.6), (0.6, 0.4), ("", "nan"), (0.5, 0.5)])
    with (tmp_path / "steps.csv").open("a") as file:
        file.write("9,1,0.5,0.9")  # cut off by a crash
    dice, bce = movement.weights([tmp_path])
    assert (dice.term, dice.mean, dice.low, dice.high) == ("dice", pytest.approx(0.5), 0.4, 0.6)
    assert bce.described == "bce 0.500 (0.400 to 0.600)"
    other = tmp_path / "epochs only"
    other.mkdir()
    steps(other, [(0.5, 0.5)] * 2, "epochs.csv")
    assert movement.weights([other])[0].described == "dice 0.500 throughout"
    assert movement.weights([tmp_path / "gone"]) == ()


@pytest.fixture
def collecting():
    """Garbage is collected as usual: the tests do it seldom, and it would count as memory."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collecting")
def test_long_files_are_read_line_by_line(tmp_path):
    steps(tmp_path, [(0.5, 0.5)] * 10)
    movement.weights([tmp_path])  # what measures the coverage takes memory at first
    steps(tmp_path, [(0.5, 0.5)] * 120_000)
    size = (tmp_path / "steps.csv").stat().st_size
    tracemalloc.start()
    movement.weights([tmp_path])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 3


def test_what_was_kept_equal_and_what_was_not_is_in_every_form(finished, tmp_path):
    for seed in range(2):
        for name, epochs in (("fixed", 4), ("var", 8)):
            folder = finished(f"{name}{seed}", [0.5, 0.6 + 0.1 * seed], name, seed, trainer__epochs=epochs)
            steps(folder, [(0.4, 0.6), (0.6, 0.4)])
    found = compare([folder.parent], metric=DICE)
    tables.write(tmp_path, found)
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["conditions"]["epochs"] == {"value": "4 or 8", "same": False}
    assert content["conditions"]["images"] == {"value": "2 test", "same": True}
    assert content["settings"][0]["weights"]["dice"] == {"mean": 0.5, "low": 0.4, "high": 0.6}
    text = (tmp_path / "comparison.md").read_text()
    assert "Not kept equal: epochs 4 or 8" in text
    assert "network unet" in text
    assert "dice 0.500 (0.400 to 0.600), bce" in text


def test_false_alarms_have_rows_of_their_own_in_every_file(finished, tmp_path):
    for seed in range(2):
        finished(f"a{seed}", [0.5, np.nan, 0.7], "fixed", seed)
        folder = finished(f"b{seed}", [0.6, 0.0, 0.8], "var", seed)
    found = compare([folder.parent], metric=DICE)
    tables.write(tmp_path, found)
    with (tmp_path / "comparison_events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["setting"], row["mean"]) for row in rows] == [
        ("weighting=var", "0"),
        ("weighting=fixed", "1"),
    ]
    assert "## undefined, of 3 images: count a repetition" in (tmp_path / "comparison.md").read_text()
    assert r"\emph{Undefined, of 3 images}" in (tmp_path / "comparison.tex").read_text()


def test_the_methods_sentence_has_tests_corrections_counts_and_versions(finished):
    for seed in range(2):
        for name in ("fixed", "var", "mad"):
            folder = finished(f"{name}{seed}", [0.5, 0.6, np.nan], name, seed)
    found = compare([folder.parent], metric=DICE, margin=0.01)
    text = paper.methods(found)
    for words in (
        "2 seeds",
        "Dice on 2 of 3 test images",
        "sign-flip permutation",
        "Holm over 2",
        "Bonferroni",
    ):
        assert words in text
    assert re.search(r"dmf \d.*NumPy \d.*SciPy \d", text)
    assert "within a margin of 0.01 Dice" in text


@pytest.mark.parametrize(
    ("seeds", "other", "says"),
    [
        (8, 8, "an exact sign-flip permutation test over paired seeds"),
        (15, 15, "a sign-flip permutation test (20000 random flips) over paired seeds"),
        (3, 4, "a t test with a variance and a t for each side (Cochran) over unpaired seeds"),
    ],
)
def test_the_methods_sentence_names_the_tests_that_were_made(finished, seeds, other, says):
    for name, count in (("fixed", seeds), ("var", other)):
        for seed in range(count):
            folder = finished(f"{name}{seed}", [0.5, 0.6 + 0.01 * seed], name, seed)
    assert says in paper.methods(compare([folder.parent], metric=DICE))


def texts(finished, names):
    for seed in range(2):
        for name in names:
            folder = finished(f"{name}{seed}", [0.5, 0.6, 0.7], name, seed)
    found = compare([folder.parent], metric=DICE, margin=0.01)
    return " ".join([paper.methods(found), paper.latex(found), *notes.notes(found)])


def test_a_single_comparison_claims_no_correction(finished):
    one = texts(finished, ("fixed", "var"))
    assert not [word for word in ("Bonferroni", "Holm", "corrected", "all 1") if word in one]
    assert "p is the larger of two tests." in one


def test_several_comparisons_say_how_they_are_corrected(finished):
    several = texts(finished, ("fixed", "var", "mad"))
    assert "all 2 comparisons at once (Bonferroni)" in several
    assert "p is the larger of two corrected tests." in several
    assert "Holm corrected, p both and the intervals" in several


@pytest.mark.parametrize(
    ("metric", "title", "column", "asks"),
    [
        ("foreground.hd95", "foreground.hd95 (less is better) on phantom", "& HD95 (px) &", " for 1, "),
        (
            "foreground.lesion_fp",
            "foreground.lesion_fp (less is better) on phantom",
            "& False positives per image &",
            " for 0.5, ",
        ),
        ("foreground.nsd", "foreground.nsd on phantom", "& NSD &", " for 0.01, "),
    ],
)
def test_the_metric_has_its_unit_its_direction_and_differences_of_its_size(
    finished, metric, title, column, asks
):
    for seed in range(2):
        for name in ("fixed", "var"):
            scores = [1.0 + seed, 2.0, 3.0 + (name == "var") * (1 + seed)]
            scored = {"missed": "diagonal", "spacing": None}
            folder = finished(f"{name}{seed}", scores, name, seed, metric=metric, scored=scored)
    found = compare([folder.parent], metric=metric)
    assert notes.title(found).startswith(title)
    assert notes.title(found).endswith("missed diagonal")
    assert column in paper.latex(found)
    assert asks in found.power


def test_several_classes_are_not_said_to_have_a_threshold(finished):
    """The likeliest class decides, so runs that differ in the threshold are scored alike."""
    for seed, threshold in ((0, 0.5), (1, 0.3)):
        for name in ("fixed", "var"):
            folder = finished(f"{name}{seed}", [0.5, 0.6], name, seed, scored={"threshold": threshold})
            file = folder / "metrics/test_summary.json"
            classes = {one: {} for one in ("background", "benign", "malignant")}
            file.write_text(json.dumps({**json.loads(file.read_text()), "classes": classes}))
    found = compare([folder.parent], metric=DICE)
    assert len(found.rows[0].group.means) == 2
    assert "2 test images, likeliest class, resolution original" in notes.title(found)
    assert "threshold" not in paper.methods(found)


@pytest.mark.parametrize(("spread", "said"), [(0.0, False), (0.4, True)])
def test_an_interval_beyond_the_possible_is_explained(finished, spread, said):
    for seed in range(2):
        for name in ("fixed", "var"):
            folder = finished(f"{name}{seed}", [0.5 + spread * seed, 0.5], name, seed)
    found = compare([folder.parent], metric=DICE)
    assert (found.rows[0].mean.low < 0) is said
    assert any("reaches below 0, which no score does" in note for note in notes.notes(found)) is said


def test_names_are_readable():
    label = (("weighting", "var"), ("loss", "cbdice+bce"), ("trainer.epochs", "40"))
    assert naming.setting(label) == "var, cbdice + bce, epochs 40"
    other = (("auxiliary.every", "1"), ("weighting.every", "5"))
    assert naming.setting(other) == "auxiliary.every 1, weighting.every 5"
    assert naming.metric("class.malignant.hd95_mm") == "HD95 of malignant"
    assert naming.amount(1.36, "foreground.hd95") == "1.4 px HD95"
    assert naming.amount(1.0, "foreground.lesion_fp") == "1 false positive per image"
    assert naming.amount(0.5, "foreground.nsd_mm") == "0.5 NSD"
    assert naming.heading("foreground.assd_mm") == "ASSD (mm)"
