"""The HTML of a report, without a browser: what it says, what it escapes, and what it does not fetch."""

import base64
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from dmf_cli import report
from dmf_cli.cli.main import main
from dmf_cli.figures import bokeh_renderer
from dmf_cli.report import pictures, sweep_page
from dmf_cli.report.differences import differences
from dmf_cli.report.table import cell, sortable
from dmf_cli.run_folder import cases
from tests.report.conftest import NASTY

VOID = ("wbr", "meta", "link", "img", "input", "br", "line", "circle")

SAID = (
    "completed", "dmf train weighting=var", "phantom · unet · cbdice+bce · var · seed 0", "trainer.epochs",
    "loss.terms.cbdice.absent", "dataset.image_size", "1 train, 1 val, 20 test", "8.0 s on cpu",
    "Epoch kept 3 of 4: foreground Dice 0.600", "test: 20 images at their original size, threshold 0.5",
    "Lesions not found 1 of 18", "False alarms 1 in 2 images without a lesion", "the warm-up, until step 1",
    "Norm of each term's gradient", "lowest here is -0.1", "Dice 0.000, truth 96 px, prediction 0 px",
)  # fmt: skip


class Parsed(HTMLParser):
    """Elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(html)
        self.close()
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.words += [] if tag == "wbr" else [" "]  # a place to break a word, not its end
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag
            self.words.append(" ")

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def written(*paths, output=None, **options):
    return Parsed(report.write(list(paths), output, **options).file.read_text())


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


def test_the_slider_starts_where_both_masks_are_seen():
    def mask(first, last):
        columns = np.arange(100)
        return np.tile((columns >= first) & (columns < last), (4, 1)).astype(np.uint8)

    nothing = mask(0, 0)
    assert pictures.start(mask(20, 40), mask(20, 40)) == 30
    assert pictures.start(mask(0, 10), mask(80, 90)) == 50
    assert pictures.start(mask(70, 80), nothing) == 80  # missed: all of it on the left
    assert pictures.start(nothing, mask(20, 30)) == 20  # a false alarm: all of it on the right
    assert pictures.start(nothing, nothing) == 50


@pytest.mark.parametrize(("classes", "channels"), [(1, 1), (3, 3)])
def test_masks_are_thin_and_keep_their_borders(classes, channels):
    image = np.full((40, 900, 3), 7, np.uint8)[..., :channels].squeeze()
    truth = np.zeros((40, 900), np.uint8)
    truth[10:30, 100:400] = classes
    case = cases.Example("a", "worst", 0.5, image, truth, np.zeros_like(truth))
    (made,) = pictures.pictures([case], [{"id": "a", "outcome": "no_overlap", "lesion_pixels": "6000"}])
    assert (made.title, made.facts) == ("no overlap", "Dice 0.500, truth 6,000 px")
    assert (made.height, made.width) == (14, 300)
    opened = [
        Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in (made.image, made.truth)
    ]
    assert [one.size for one in opened] == [(300, 14)] * 2
    opacity = np.asarray(opened[1].convert("RGBA"))[..., 3]
    assert set(np.unique(opacity)) == {0, 70, 255}  # outside, inside, border
    assert (opacity > 0).sum() == (truth[::3, ::3] > 0).sum()


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


def test_settings_are_those_that_differ_from_the_option_that_was_chosen(composed):
    found = {d.key: (d.value, d.default) for d in differences(composed["fixed"])}
    assert found == {
        "weighting": ("fixed", "var"),
        "dataset.image_size": ("32", "128"),
        "loss.terms.cbdice.absent": ("max", "zero"),
        "trainer.epochs": ("4", "auto"),
    }
    assert differences({"loss": {"expression": "gone+bce"}, "weighting": {"name": "gone"}}) is None


@pytest.mark.parametrize("terms", [1, 3])
def test_a_long_record_is_thinned_and_keeps_its_spikes(terms):
    rng = np.random.default_rng(0)
    series = [rng.random(100_000) for _ in range(terms)]
    series[0][54_321], series[-1][777] = 100.0, -50.0
    series[0][90_000:90_010] = np.nan
    kept = bokeh_renderer.thin(series, 100_000)
    assert len(kept) < 2 * bokeh_renderer.ROWS
    assert {0, 777, 54_321, 90_000, 99_999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    assert bokeh_renderer.thin(series, 100_000).tolist() == kept.tolist()
    assert bokeh_renderer.thin([s[:1500] for s in series], 1500).tolist() == list(range(1500))


def test_many_steps_stay_small(finished):
    path = finished()
    lines = (path / "steps.csv").read_text().splitlines()
    steps = [line.split(",", 1)[1] for line in lines[1:]]
    rows = [f"{i},{steps[i % 40]}" for i in range(60_000)]
    (path / "steps.csv").write_text("\n".join([lines[0], *rows, ""]))
    file = report.write([path]).file
    assert file.stat().st_size < 2.5e6
    assert "Bold: mean over 600 steps" in file.read_text()


def test_what_is_damaged_is_told_and_the_rest_is_shown(finished, capsys):
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
    assert file.stat().st_size < 3e5  # BokehJS is left out


def refused(capsys, *words):
    assert main(["report", *map(str, words)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_wrong_paths_are_one_line(finished, tmp_path, capsys):
    path = finished()
    (tmp_path / "empty").mkdir()
    assert "no run in" in refused(capsys, tmp_path / "empty")
    assert "does not exist" in refused(capsys, tmp_path / "gone")
    assert "is a part of a run" in refused(capsys, path / "metrics")
    assert "is a folder: give a file" in refused(capsys, path, "-o", tmp_path / "empty")
    assert "give another file with -o FILE" in refused(capsys, path, "-o", tmp_path / "no/such/file.html")
    (path / "status.json").unlink()
    assert "no status.json" in refused(capsys, path)


def test_a_folder_that_may_not_be_written_to(finished, tmp_path, capsys, monkeypatch):
    path = finished()

    def full(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("dmf_cli.files.os.fsync", full)
    assert "(Read-only file system): give another file with -o FILE" in refused(capsys, path)
    assert not (path / "report.html").exists()


def test_a_report_that_fails_is_a_line_of_the_log(finished, monkeypatch, caplog):
    path = finished()
    monkeypatch.setattr("dmf_cli.report.run_page.context", lambda facts: 1 / 0)
    report.after_run(path)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert line == f"no report (ZeroDivisionError: division by zero); `dmf report {path}` tries again"


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
    assert "18 of 20 test images count" in page.text


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
    assert line.startswith(f"note: {sweep / 'broken/config.yaml'} cannot be read: it is not YAML from line 2")
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


def test_a_report_imports_no_framework(finished):
    path = finished()
    code = (
        "import sys; from dmf_cli.cli.main import main; main(['report', sys.argv[1]]);"
        "print([m for m in ('tensorflow', 'keras', 'jax', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_cells_are_written_and_sorted_as_numbers():
    texts = [cell(v).text for v in (0.12345, 12.345, 1234, 2e-5, float("nan"), None, "x", True, 0.0)]
    assert texts == ["0.123", "12.35", "1,234", "2.0e-05", "-", "-", "x", "True", "0.000"]
    said = ("0.812 ± 0.101", "12,345", "<0.001", "62.5 %", "-", "baseline", "[0.1, 0.2]")
    assert [sortable(text).sort for text in said] == [
        0.812,
        12345,
        0.001,
        62.5,
        None,
        "baseline",
        "[0.1, 0.2]",
    ]
