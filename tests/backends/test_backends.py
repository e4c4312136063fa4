"""The core on the other backends of Keras, each in a process of its own: the backend cannot be changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.quick_xla import XLA_FLAGS

TESTS = Path(__file__).parents[1]
# JAX comes with the development tools; PyTorch is large and tested where it is installed.
OTHERS = ["jax", pytest.param("torch", marks=pytest.mark.torch)]
CHOSEN = [
    "losses/test_golden.py",
    "losses/test_large.py::test_counts_go_on_above_2_to_the_24",
    "losses/test_large.py::test_so_it_is_in_a_compiled_step",
    "losses/test_large.py::test_statistics_of_large_gradients",
    "losses/test_void.py::test_what_is_predicted_there_changes_nothing",
    "losses/test_void.py::test_a_nan_there_changes_nothing",
    "losses/test_void.py::test_a_fused_model_trains_and_validates_without_them",
    "losses/test_losses.py::test_a_pixel_that_is_wrong_with_certainty_has_a_gradient",
    "losses/test_losses.py::test_pixels_without_any_label_give_a_finite_value",
    "losses/test_losses.py::test_rounding_outside_of_0_and_1_is_harmless",
    "weighting/test_golden.py",
    "weighting/test_peers.py",
    "weighting/test_generator.py",
    "weighting/test_guards.py::test_a_row_with_a_value_that_is_not_finite_is_dropped_whole",
    "weighting/test_guards.py::test_no_gradient_flows_through_the_weights",
    "weighting/test_memory.py::test_median_of_odd_and_even_counts",
    "fusion/test_logit_gradients.py::test_equals_autodiff_through_the_head",
    "fusion/test_logit_gradients.py::test_terms_that_are_due_are_measured_and_others_are_zeros",
    "fusion/test_logit_gradients.py::test_a_surrounding_gradient_flows_through_the_values",
    "fusion/test_steps.py::test_the_weights_move_after_the_warmup_inside_one_trace",
    "fusion/test_steps.py::test_each_step_is_trained_with_what_replay_gives",
    "fusion/test_auxiliary.py::test_gamma_is_exactly_the_formula",
    "fusion/test_logs.py::test_logs_of_an_epoch",
    "fusion/test_logs.py::test_reading_the_steps_between_epochs_changes_nothing",
    "fusion/test_scales.py::test_memory_records_and_metrics_see_the_full_scale_only",
    "fusion/test_saving.py::test_a_keras_file_carries_everything_and_training_goes_on",
    "training/test_build.py::test_skipped_steps_leave_no_trace_however_many_they_are",
    "training/test_encoder_rate.py",
    "training/test_weight_average.py::test_training_goes_on_with_the_weights_themselves",
]
PARTS = 2  # which two workers of pytest share


def python(backend: str, *arguments: str) -> subprocess.CompletedProcess:
    env = {
        "XLA_FLAGS": XLA_FLAGS,
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONPATH": str(TESTS.parent),
    }
    return subprocess.run(
        [sys.executable, *arguments], env=env, cwd=TESTS.parent, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("backend", OTHERS)
def test_the_core_passes_its_own_tests(backend: str, part: int) -> None:
    options = (
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:slipcover",
        "-p",
        "tests.one_case_each",
        "-o",
        "addopts=--import-mode=importlib",
        "-q",
    )
    done = python(backend, "-m", "pytest", *options, *(str(TESTS / name) for name in CHOSEN[part::PARTS]))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " skipped" not in done.stdout


def steps(backend: str, folder: Path) -> list[dict[str, float]]:
    target = folder / f"{backend}.json"
    done = python(backend, str(Path(__file__).with_name("parity_run.py")), str(target))
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(target.read_text())
    assert result["backend"] == backend
    return result["steps"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    return steps("tensorflow", tmp_path_factory.mktemp("parity"))


@pytest.mark.parametrize("backend", OTHERS)
def test_twenty_steps_agree_with_tensorflow(backend: str, reference, tmp_path: Path) -> None:
    theirs, ours = steps(backend, tmp_path), reference
    assert len(ours) == len(theirs) == 20
    assert ours[-1]["loss"] < 0.9 * ours[0]["loss"]  # it trains, and the weights are past the warm-up
    assert abs(ours[-1]["weight.bce"] - 1 / 3) > 1e-3
    for key in ours[0]:
        a, b = (np.array([row[key] for row in rows]) for rows in (ours, theirs))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-3, err_msg=key)
