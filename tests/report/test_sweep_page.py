"""The page of many runs: the answer, every run, and links that lead to them."""

import json
import re

from dmf_cli import report
from dmf_cli.cli.main import main
from dmf_cli.report import sweep_page
from tests.report.parsed import Parsed, refused, written


def test_a_sweep_is_compared_and_every_run_is_listed(sweep, finished, capsys):
    failed = finished("failed", "fixed", 7)
    failed = failed.rename(sweep / "failed")
    status = json.loads((failed / "status.json").read_text())
    (failed / "status.json").write_text(json.dumps({**status, "state": "failed", "message": "it exploded"}))
    report.write([sweep / "var0"])
    assert main(["report", str(sweep)]) == 0
    assert "failed is failed, not completed" in capsys.readouterr().err
    page = Parsed((sweep / "report.html").read_text())
    for words in (
        "5 runs: 1 failed, 4 completed",
        "weighting=var was not shown to be better or worse than weighting=fixed.",
        "weighting=fixed",
        "it exploded",
        "baseline",
    ):
        assert words in page.text, words
    links = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    assert links == ["failed", "fixed0", "fixed1", "var0/report.html", "var1"]
    toggles = [a["data-toggle"] for a in page.all("button") if "data-toggle" in a]
    assert sorted(toggles) == ["weighting=fixed", "weighting=var"]
    assert page.all("svg")
    assert page.open == []


def test_the_page_of_many_begins_with_the_answer_and_has_conditions_and_weights(sweep):
    page = written(sweep)
    box = page.text.index("with 2 seeds no difference, however large, could have been shown")
    assert page.text.index("was not shown to be better") < box < page.text.index("Comparison")
    assert "Kept equal: dataset phantom" in page.text
    assert "Weights over all steps of all runs of a setting" in page.text
    assert "18 of 20 images count" in page.text


def test_a_damaged_run_of_many_is_one_short_line(sweep, finished, capsys):
    for name, file in (("without", "status.json"), ("broken", "config.yaml")):
        path = finished(name, "fixed", 7).rename(sweep / name)
        (path / file).unlink() if name == "without" else (path / file).write_text("a: [1,\n")
    assert main(["report", str(sweep)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "without" in line] == [
        f"note: {sweep / 'without'} is not a run folder (no status.json): a part of it is missing"
    ]
    (line,) = [line for line in said if "broken" in line]
    assert line.startswith(f"note: {sweep / 'broken/config.yaml'} cannot be read, it is not YAML from line 2")
    assert line.count("config.yaml") == 1


def test_images_without_a_score_are_not_counted_as_dots(sweep):
    page = written(sweep)
    assert (
        "Each dot is one of 18 test images (2 more not counted), the mean over its repetitions." in page.text
    )


def test_intervals_are_sorted_by_their_lower_ends(sweep):
    report.write([sweep])
    found = re.findall(r'data-sort="([^"]*)">\[([^,]*),', (sweep / "report.html").read_text())
    assert len(found) == 3  # two means, and one difference
    assert [round(float(low), 3) for low, _ in found] == [float(said) for _, said in found]


def test_runs_that_cannot_be_compared_are_listed_all_the_same(sweep, tmp_path, capsys):
    one = sweep / "var1" / "status.json"
    one.write_text('{"state": "failed"}')
    two = [sweep / "var0", sweep / "var1"]
    page = written(*two, output=tmp_path / "two.html")
    assert "two or more are needed" in page.text
    assert "Validation Dice, foreground" in page.text  # beside the mean over classes, where there are several
    assert "Every run, scored as in its own tables" in page.text
    assert [a["href"] for a in page.all("a") if "var" in a["href"]] == ["sweep/var0", "sweep/var1"]
    assert "did you mean" in refused(capsys, sweep, "--metric", "foreground.dcie")
    assert "give one of" in refused(capsys, sweep, "--baseline", "weighting=mad")


def test_links_lead_to_the_runs_through_symbolic_links(tmp_path):
    """A browser goes up from where the page really is, not from the link that it was asked for by."""
    run, elsewhere = tmp_path / "real/deep/runs/a", tmp_path / "disk/reports"
    run.mkdir(parents=True)
    elsewhere.mkdir(parents=True)
    (run / "report.html").touch()
    (tmp_path / "runs").symlink_to(tmp_path / "real/deep/runs")
    (tmp_path / "reports").symlink_to(elsewhere)
    for given in (run, tmp_path / "runs/a"):
        for page in (elsewhere / "all.html", tmp_path / "reports/all.html", tmp_path / "runs/all.html"):
            link = sweep_page._link(given, page)
            assert (page.parent.resolve() / link).resolve() == (run / "report.html")
