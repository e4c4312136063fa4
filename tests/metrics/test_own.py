"""A metric of the user's, from its file to a number: whatever else it gives is an error before it matters."""

import math
from pathlib import Path

import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.errors import PluginError
from dmf_cli.metrics import Counts, own
from dmf_cli.parts import plugins, registry
from dmf_cli.parts.definitions import Definition, of_package

AREAS = "abs(float(truth.sum()) - prediction.sum())"


@pytest.fixture
def made(tmp_path):
    """``made("return 1.0")`` is the metric ``mine`` with that body, ``made(body, "counts")`` of counts."""
    with plugins.isolated():

        def make(body, arguments="truth, prediction", better="low", **params):
            file = tmp_path / "lab.py"
            head = (
                f"def mine({arguments}, *, tolerance=2.0):"
                if "*" not in arguments
                else f"def mine({arguments}):"
            )
            file.write_text(f"import dmf_cli\n\n\n@dmf_cli.metric(better={better!r})\n{head}\n    {body}\n")
            plugins.activate([str(file)])
            return own.of({"mine": params})[0]

        yield make


def test_the_metrics_of_dmf_carry_the_decorator():
    """Direction, and what it is computed of, are read there; the order of tables is a list of its own."""
    known = of_package("metric")
    assert set(metrics.__registry__) == set(known)
    assert len(metrics.__registry__) == len(known)
    assert set(metrics.LOWER_IS_BETTER) == {"fpr", "fnr", "hd95", "assd", "lesion_fp", "ece"}
    assert metrics.__registry__[:11] == metrics.OF_COUNTS
    for name in metrics.__registry__:
        assert registry.find("metric", name) is getattr(metrics, name)


def test_of_masks(made):
    metric = made(f"return max(0.0, {AREAS} - tolerance)", tolerance=1.0)
    truth, prediction = np.zeros((2, 4, 4), bool)
    truth[0] = True
    assert metric.masks(truth, prediction) == 3.0
    assert (metric.name, metric.better, metric.of_counts, metric.takes_spacing) == (
        "mine",
        "low",
        False,
        False,
    )


def test_of_counts_of_one_image_and_of_all(made):
    metric = made("return counts.tp / (counts.tp + counts.fn)", "counts", "high")
    assert metric.of_counts
    one = Counts(*(np.array(v) for v in (1, 0, 3, 5)))
    assert metric.counts(one) == 0.25
    assert metric.counts(one + Counts(*(np.array(v) for v in (3, 0, 1, 5)))) == 0.5
    assert math.isnan(metric.counts(Counts(*(np.array(v) for v in (0, 1, 0, 5)))))  # and no warning


def test_spacing_is_filled_in(made):
    metric = made("return truth.sum() * (spacing[0] * spacing[1] if spacing else math.nan)".replace(
        "math.nan", "float('nan')"), "truth, prediction, *, spacing=None")  # fmt: skip
    assert metric.takes_spacing
    mask = np.ones((2, 3), bool)
    assert metric.masks(mask, mask, (0.5, 2.0)) == 6.0
    assert math.isnan(metric.masks(mask, mask))


@pytest.mark.parametrize("value", ["1", "True", "np.float32(1)", "np.array(1.0)", "np.int64(1)"])
def test_every_kind_of_number_is_one(made, value):
    metric = made(f"import numpy as np; return {value}")
    assert metric.masks(np.ones((2, 2), bool), np.ones((2, 2), bool)) == 1.0


@pytest.mark.parametrize(
    ("body", "line", "says", "tried"),
    [
        ("return 'good'", 5, ": gives 'good' (str)", "two overlapping squares"),
        ("return 1j", 5, ": gives 1j (complex)", "two overlapping squares"),
        ("pass", 5, ": gives None (NoneType)", "two overlapping squares"),
        ("return truth.mean(axis=0)", 5, ": gives an array of shape (32,)", "two overlapping squares"),
        ("return [0.5]", 5, ": gives an array of shape (1,)", "two overlapping squares"),
        ("return 1.0 / truth.sum()", 5, ": gives ", "an empty truth"),
        ("return 1.0 / int(prediction.sum())", 6, " fails with ZeroDivisionError", "nothing was predicted"),
        ("raise RuntimeError('oh\\nno')", 6, " fails with RuntimeError: oh", "two overlapping squares"),
        ("truth[0, 0] = True; return 1.0", 6, " fails with ValueError: assignment", "two"),
        ("return tolerance.value", 6, " fails with AttributeError: 'float' object has no attribute", "two"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_an_error_of_one_line(made, body, line, says, tried):
    with pytest.raises(PluginError) as caught:
        made(body)
    error = caught.value
    assert error.what.startswith(f"lab.py, line {line}: metric 'mine'{says}")
    assert error.key == "mine"
    assert tried in error.hint
    assert "\n" not in str(error)


@pytest.mark.parametrize("better", ["high", "low", ...])
def test_its_direction_is_that_of_the_definition_and_no_text_of_it(better):
    definition = Definition("metric", "mine", Path("lab.py"), 1, {}, options={"better": better})
    assert own.Own(definition, lambda: 1.0, {}).better is better


def test_a_summary_says_which_plugin_defines_it(made):
    metric = made("return 1.0", tolerance=1.0)
    (plugin,) = (one for one in plugins.active() if one.name == "lab")
    assert metric.described == {"better": "low", "params": {"tolerance": 1.0}, "hash": plugin.hash}


def test_a_file_that_cannot_be_imported_is_named_with_its_line(tmp_path):
    file = tmp_path / "lab.py"
    file.write_text("import dmf_cli\nimport nowhere_at_all\n\n\n@dmf_cli.metric(better='high')\n"
                    "def mine(truth, prediction):\n    return 1.0\n")  # fmt: skip
    with plugins.isolated():
        plugins.activate([str(file)])
        with pytest.raises(PluginError, match=r"lab.py, line 2: ModuleNotFoundError"):
            own.of({"mine": {}})


def test_a_name_of_dmf_is_an_error(tmp_path):
    file = tmp_path / "lab.py"
    file.write_text(
        "import dmf_cli\n\n\n@dmf_cli.metric(better='high')\ndef dice(counts):\n    return counts.tp\n"
    )
    with plugins.isolated(), pytest.raises(PluginError, match=r"there is a metric 'dice' already, in dmf"):
        plugins.activate([str(file)])


def test_the_example_of_the_page_of_the_metrics_works(tmp_path):
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()
    (tmp_path / "my.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    square, empty = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    with plugins.isolated():
        plugins.activate([str(tmp_path / "my.py")])
        error, youden = own.of({"area_error": {"tolerance": 5.0}, "youden": {}})
        assert error.masks(square, empty) == 11.0
        assert error.masks(square, empty, (0.5, 1.0)) == 3.0
        assert math.isnan(error.masks(empty, square))
        assert youden.counts(Counts(*(np.array(v) for v in (3, 1, 1, 3)))) == 0.5
