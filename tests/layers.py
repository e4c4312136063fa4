"""The layers of the tests, as markers: a test belongs to one by where it lies and what it uses."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MARKERS = {
    "smoke": "every command and option, unpatched, from an installed wheel",
    "property": "what holds for any input, over many of them",
    "golden": "numbers that other projects' own code gave",
    "commands": "a command from its words to its exit code",
    "slow": "trains, starts processes or takes seconds: not in `make test-fast`",
}
# Files, folders (with a slash) and single tests that `make test-fast` leaves to `make test`.
SLOW = (
    "backends/",
    "report/",
    "smoke/",
    "cli/test_completion.py::test_every_candidate_of_a_group_is_accepted",
    "cli/test_data_check.py",
    "cli/test_eval.py",
    "cli/test_export.py",
    "cli/test_replay.py",
    "cli/test_train.py",
    "comparison/test_command.py",
    "comparison/test_intervals.py",
    "comparison/test_simulation.py",
    "config/test_absurd.py",
    "config/test_experiments.py",
    "config/test_partial.py",
    "config/test_typed.py",
    "config/test_yaml_files.py::test_every_option_composes",
    "datasets/sources/test_tfds.py",
    "docs/test_documents.py::test_the_python_of_the_documents_runs",
    "docs/test_load_a_network.py",
    "docs/test_quickstart.py::test_every_cell_runs",
    "docs/test_reference.py::test_every_generated_part_is_up_to_date",
    "figures/test_renderers.py",
    "figures/test_run_figures.py",
    "fusion/test_arguments.py",
    "fusion/test_data_parallel.py",
    "fusion/test_inputs.py",
    "fusion/test_logit_gradients.py::test_ratios_and_cosines_at_the_logits_are_near_those_in_the_weights",
    "fusion/test_logs.py",
    "fusion/test_precision.py",
    "fusion/test_saving.py",
    "fusion/test_steps.py",
    "losses/test_distance.py::test_a_fused_model_takes_the_map_along_with_the_labels",
    "losses/test_large.py",
    "losses/test_losses.py::test_value_and_gradient_are_finite_at_0_and_1",
    "losses/test_void.py::test_a_fused_model_trains_and_validates_without_them",
    "models/test_hub.py",
    "models/test_models.py",
    "models/test_unet.py",
    "sweep/test_launchers.py",
    "sweep/test_real.py",
    "sweep/test_sweep.py",
    "test_interrupts.py",
    "test_package.py",
    "training/test_classes.py",
    "training/test_distance_terms.py",
    "training/test_exact_resume.py",
    "training/test_extend.py",
    "training/test_insight.py",
    "training/test_repeatable.py",
    "training/test_trackers.py",
    "training/test_trainer.py",
    "tune/test_real.py",
    "tune/test_search.py",
    "weighting/test_guards.py::test_weights_stay_sane_whatever_the_losses_do",
)


def configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def ignored(path: Path, config: pytest.Config) -> bool:
    """Whether `make test-fast` chooses nothing in there: then it is not imported either."""
    place = path.relative_to(TESTS).as_posix() + "/" * path.is_dir()
    return config.option.markexpr == "not slow" and place in SLOW


def mark(items: list[pytest.Item]) -> None:
    for item in items:
        for name in _layers(item):
            item.add_marker(name)


def _layers(item: pytest.Item) -> list[str]:
    path = item.path.relative_to(TESTS)
    module, function = getattr(item, "module", None), getattr(item, "function", None)
    test = f"{path.as_posix()}::{getattr(function, '__name__', '')}"
    command = getattr(getattr(module, "main", None), "__module__", "") == "dmf_cli.cli.main"
    belongs = {
        "smoke": path.parts[0] == "smoke",
        "property": path.stem == "test_properties" or getattr(function, "is_hypothesis_test", False),
        "golden": path.stem in ("test_golden", "test_peers"),
        "commands": path.parts[0] == "cli" or command,
        "slow": test.startswith(SLOW),
    }
    return [name for name, it_does in belongs.items() if it_does]
