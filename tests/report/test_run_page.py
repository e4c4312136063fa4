"""The page of one run, without a browser: what it says, what it escapes, and what it does not fetch."""

import json
import re
from collections import Counter

import pytest

from dmf_cli import escapes, report
from dmf_cli.cli.main import main
from dmf_cli.report import chosen, reading, run_page
from tests import inert
from tests.report.conftest import NASTY
from tests.report.parsed import Parsed, written

SAID = (
    "completed", "dmf train weighting=var", "phantom · unet · cbdice+bce · var · seed 0", "trainer.epochs",
    "loss.terms.cbdice.absent", "dataset.image_size", "1 train, 1 val, 20 test", "8.0 s on cpu",
    "Epoch kept 3 of 4: foreground Dice 0.600", "test: 20 images at their original size, threshold 0.5",
    "Lesions not found 1 of 18", "False alarms 1 in 2 images without a lesion", "the warm-up, until step 1",
    "Norm of each term's gradient", "lowest here is -0.1", "Dice 0.000, truth 96 px, prediction 0 px",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(ready):
    return written(ready)


def test_a_report_says_what_was_run_and_how_it_ended(page):
    for words in SAID:
        assert words in page.text, words
    assert "Learning rate at the end of each epoch" in page.text  # a schedule has left its peak by then
    assert page.open == []


def test_it_needs_no_network_and_its_ids_are_its_own(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert sorted(ids) == sorted(set(ids))
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            assert re.match(r"(data:|#|[\w./%-]+$)", attributes.get(name) or "#"), attributes
    assert page.all("link") == [{"rel": "icon", "href": "data:,"}]
    assert {a["href"].removeprefix("#") for a in page.all("a")} <= set(ids)


def test_everything_that_is_seen_has_words(page):
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert all(attributes.get("aria-label") for attributes in page.all("input"))
    plots = [a for tag, a in page.elements if a.get("class") == "plot"]
    assert (
        len(plots) == 12
    )  # metrics, sum, two terms, rate; weights, losses, shares, gamma; three of gradients
    assert all(a["role"] == "img" and len(a["aria-label"]) > 40 for a in plots)
    assert page.all("html") == [{"lang": "en"}]
    heads = [a for tag, a in page.elements if tag == "th"]
    assert {a["scope"] for a in heads} == {"col", "row"}
    assert len(page.all("button")) > sum(a["scope"] == "col" for a in heads)  # each sorts


def test_the_worst_image_comes_first(page):
    images = [a["alt"] for a in page.all("img") if a["alt"].startswith("Image")]
    assert images[0] == "Image image 00"
    assert len(images) == 16
    assert page.text.index("Worst first truth prediction missed image 00") < page.text.index(
        "Best truth prediction found"
    )


def test_names_of_users_are_never_markup(finished):
    term = "</script><b>&'x"
    path = finished(first=NASTY, terms=(term, "bce"))
    status = json.loads((path / "status.json").read_text())
    (path / "status.json").write_text(json.dumps({**status, "state": "failed", "message": NASTY}))
    path = path.rename(path.with_name("<i>run & more"))
    page = written(path)
    assert page.open == []
    assert not [a for a in page.all("img") if a.get("src") == "q"]
    assert page.all("i") == []
    assert page.text.count(NASTY) >= 3
    assert page.text.count(term) > 5
    assert next(a for a in page.all("button") if "data-toggle" in a)["data-toggle"] == term


@pytest.mark.parametrize("name", [one for one in inert.HOSTILE if "onload" in one or "onerror" in one])
def test_no_name_adds_an_element_to_a_page(finished, page, name):
    found = written(finished(first=name))
    shapes = [Counter((tag, *sorted(given)) for tag, given in one.elements) for one in (found, page)]
    for one in shapes:
        del one["wbr",]  # where a long name may break
    assert shapes[0] == shapes[1]
    assert escapes.visible(name) in found.text


def test_many_steps_stay_small(finished):
    path = finished()
    lines = (path / "steps.csv").read_text().splitlines()
    steps = [line.split(",", 1)[1] for line in lines[1:]]
    rows = [f"{i},{steps[i % 40]}" for i in range(60_000)]
    (path / "steps.csv").write_text("\n".join([lines[0], *rows, ""]))
    file = report.write([path]).file
    assert file.stat().st_size < 2.5e6
    assert "Bold: mean over 600 steps" in file.read_text()


def test_what_is_damaged_is_reported_and_the_rest_is_shown(finished, capsys):
    path = finished()
    (path / "metrics/test_summary.json").write_text('{"foreground"')
    (path / "metrics/test_per_image.csv").write_text("id,foreground.dice\nonly one cell\n")
    (path / "epochs.csv").unlink()
    (path / "predictions/test_cases/01_truth.png").write_bytes(b"no picture")
    (path / "environment.json").unlink()
    assert main(["report", str(path)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert all(line.startswith("note: ") for line in said)
    for name in ("test_summary.json", "test_per_image.csv", "epochs.csv", "test_cases", "environment.json"):
        assert len([line for line in said if name in line]) == 1, name
    page = Parsed((path / "report.html").read_text())
    assert "Not everything could be read" in page.text
    assert "Weight of each term" in page.text
    assert "Over epochs" not in page.text


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", "loss: {terms: [a], coefficients: 3, expression: dice}"),
        ("status.json", '{"best": [1], "state": 5, "skipped_steps": "x", "epochs": []}'),
        (
            "metrics/test_summary.json",
            '{"foreground": {"dice": {}}, "settings": {}, "counts": {}, "trivial": {}}',
        ),
        ("epochs.csv", "epoch,x\n1,2\n"),
        ("steps.csv", "step,epoch\n1,1\n"),
        ("insight.csv", "a,b\n1,2\n"),
        ("predictions/test_cases/cases.json", '[{"id": 1}]'),
    ],
)
def test_files_that_are_whole_and_make_no_sense(finished, file, content):
    path = finished()
    (path / file).write_text(content)
    page = written(path)
    assert page.open == []
    assert "20 test" in page.text


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_a_run_that_did_not_end_well_is_reported_as_that(finished, state):
    path = finished()
    for folder in ("metrics", "predictions"):
        for file in (path / folder).rglob("*.*"):
            file.unlink()
    status = json.loads((path / "status.json").read_text())
    (path / "status.json").write_text(
        json.dumps({**status, "state": state, "message": "the loss <exploded>"})
    )
    page = written(path)
    assert state in page.text
    assert "the loss <exploded>" in page.text
    assert ("last line" in page.text) == (state == "failed")
    assert "Over epochs" in page.text
    assert "Scores" not in page.text


def test_a_run_without_a_finished_epoch_needs_no_charts(finished):
    path = finished()
    for name in ("epochs.csv", "steps.csv", "insight.csv"):
        (path / name).unlink()
    file = report.write([path]).file
    assert "no finished epoch" in file.read_text()
    assert file.stat().st_size < 3e5  # without BokehJS


def test_what_was_chosen_on_validation_stands_with_its_images(finished):
    run = finished()
    values = {"values": {"temperature": 1.3127}, "images": 58, "ece": {"before": 0.081, "after": 0.0225}}
    asked = {"metrics.threshold=0.5 metrics.empty=nan": values, "metrics.threshold=0.4": {"values": {"x": 7}}}
    (run / "prediction.json").write_text(json.dumps(asked))
    said = "Prediction temperature 1.313 (ECE 0.081, then 0.022), by 58 validation images"
    assert said in written(run).text
    (run / "prediction.json").write_text("{")
    assert "is damaged" in " ".join(reading.read(run).notes)


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"a.b=1": 3},
        {"": 3},
        {"": {"values": {}}},
        {"": {}},
        {"predict.mirror=true": {"values": {"t": 1}}},
    ],
)
def test_nothing_chosen_is_nothing_said(found):
    assert chosen.described(found, {"predict": {"mirror": False}, "seed": 0}) == ""


def test_a_run_that_follows_a_plan_says_what_was_planned(finished):
    run = finished()
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "plan": {"training": 90.0}}))
    tiles = {name: of for name, _, of in run_page.context(reading.read(run))["tiles"]}
    assert tiles["Training"] == "on cpu, 1:30 min planned"
