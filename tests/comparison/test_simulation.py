"""Equal settings, simulated: the interval of their difference holds 0, and chance names no winner.

Reduced from ``scripts/simulate_undefined.py``, whose table is in docs/background/comparison.md.
"""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

from dmf_cli.comparison import intervals

STUDIES = 60
SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate_undefined.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("simulate_undefined", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    draws = intervals.DRAWS
    intervals._shares.cache_clear()
    spec.loader.exec_module(module)
    yield module
    intervals.DRAWS = draws
    intervals._shares.cache_clear()
    del sys.modules[spec.name]


def error(share, studies=STUDIES):
    """Three standard errors of a simulated share."""
    return 3 * math.sqrt(share * (1 - share) / studies)


@pytest.mark.parametrize(("cell", "seeds"), [(0, 7), (1, 10), (2, 7), (3, 10), (4, 10), (5, 7)])
def test_undefined_scores_make_no_winner(script, cell, seeds):
    covered, named, alarms, share = script.undefined(STUDIES, script.CELLS[cell], seeds)
    assert covered >= 0.95 - error(0.95)
    assert named <= 0.05 + error(0.05)
    assert alarms <= 0.05 + error(0.05)
    assert 0.3 < share < 0.95


@pytest.mark.parametrize(
    "sides", [(2, 0.06, 10, 0.01), (2, 0.01, 10, 0.06), (3, 0.06, 10, 0.01), (4, 0.02, 6, 0.02)]
)
def test_unlike_sides_make_no_winner(script, sides):
    covered, named, _ = script.unpaired(STUDIES, sides)
    assert covered >= 0.95 - error(0.95)
    assert named <= 0.05 + error(0.05)


def test_one_seed_against_many_has_no_interval_and_no_winner(script):
    covered, named, _ = script.unpaired(20, (1, 0.02, 20, 0.02))
    assert math.isnan(covered)
    assert named == 0
