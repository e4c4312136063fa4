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
    "api/test_many.py",
    "api/test_objects.py",
    "api/test_own_data.py",
    "api/test_run.py",
    "backends/",
    "bad_inputs/",
    "report/",
    "smoke/",
    "cli/test_completion.py::test_every_candidate_of_a_group_is_accepted",
    "cli/test_data.py::test_show_draws_examples_and_counts",
    "cli/test_data_check.py",
    "cli/test_doctor.py::test_a_machine_without_a_gpu_is_no_reason_to_install_jax_again",
    "cli/test_eval.py",
    "cli/test_export.py",
    "cli/test_list.py::test_a_cost_is_counted_and_measured",
    "cli/test_list.py::test_every_option_is_built_with_its_own_parameters",
    "cli/test_own_parts.py",
    "cli/test_predicted_masks.py",
    "cli/test_replay.py",
    "cli/test_train.py",
    "comparison/test_command.py",
    "examples/",
    "comparison/test_compare.py::test_permutations_that_are_drawn_are_not_called_exact",
    "comparison/test_conclusion.py::test_each_option_is_compared_over_the_others_and_the_seeds",
    "comparison/test_conclusion.py::test_one_comparison_is_written_beside_the_runs",
    "comparison/test_conclusion.py::test_other_images_are_compared_separately_with_an_overview",
    "comparison/test_default_metric.py::test_of_several_classes_their_mean_also_of_runs_of_version_0_1",
    "comparison/test_inert_comparison.py",
    "comparison/test_intervals.py",
    "comparison/test_simulation.py",
    "comparison/test_verdict.py::test_equivalence_is_claimed_falsely_in_at_most_one_study_in_twenty",
    "comparison/test_verdict.py::test_long_files_are_read_line_by_line",
    "checking/",
    "cli/test_check.py::test_parts_are_really_tried",
    "cli/test_check.py::test_the_other_backends_have_a_process_each",
    "cli/test_new.py::test_an_experiment_is_a_sweep",
    "cli/test_new.py::test_it_passes_every_check",
    "config/test_absurd.py",
    "config/test_experiments.py",
    "config/test_messages.py::test_keys_of_a_dataset_of_files",
    "config/test_partial.py",
    "config/test_typed.py",
    "config/test_yaml_files.py::test_a_preset_has_the_keys_of_what_it_sets_and_other_values",
    "config/test_yaml_files.py::test_defaults_of_a_strategy_are_those_of_its_class",
    "config/test_yaml_files.py::test_defaults_of_a_term_are_those_of_its_function",
    "config/test_yaml_files.py::test_every_option_composes",
    "config/test_yaml_files.py::test_every_term_is_a_loss_and_an_auxiliary_loss",
    "datasets/fetch/test_install.py::test_a_disk_that_is_really_full_or_read_only_is_reported",
    "datasets/fetch/test_install.py::test_a_process_that_was_killed_is_resumed_by_the_next",
    "datasets/fetch/test_install.py::test_two_processes_at_once_get_one_dataset",
    "datasets/fetch/test_shipped.py::test_every_shipped_folder_has_a_miniature_and_says_where_it_comes_from",
    "datasets/input/test_augment.py::test_bending_moves_image_and_mask_alike_and_keeps_the_classes",
    "datasets/input/test_augment.py::test_depth_gain_shadow_and_speckle_do_what_they_say",
    "datasets/input/test_augment.py::test_what_dmf_check_looks_for",
    "datasets/input/test_augment.py::test_every_group_repeats_and_depends_on_the_sample_alone",
    "datasets/input/test_augment.py::test_the_batches_of_earlier_runs_come_again",
    "datasets/input/test_augment.py::test_without_bending_the_elastic_group_is_affine",
    "datasets/input/test_input_profile.py::test_an_evaluation_says_that_other_images_are_on_another_scale",
    "datasets/input/test_pipeline.py::test_what_is_said_of_the_validation_images_does_not_depend_on_the_size_of_batches",
    "datasets/input/test_run_data.py::test_a_damaged_image_of_any_part_is_found_before_the_training",
    "datasets/input/test_run_data.py::test_a_run_is_resumed_with_the_images_that_it_was_started_with",
    "datasets/input/test_run_data.py::test_what_is_odd_about_the_images_is_reported_before_the_training",
    "datasets/input/test_run_data.py::test_where_images_are_kept_is_said_by_the_config",
    "datasets/sources/phantom/test_builder.py::test_other_settings_never_give_older_data",
    "datasets/sources/phantom/test_builder.py::test_processes_that_prepare_at_once_get_the_same_data",
    "datasets/sources/phantom/test_scan.py::test_a_lesion_is_where_the_mask_says",
    "datasets/sources/phantom/test_scan.py::test_difficulty_lowers_the_contrast_of_lesions",
    "datasets/sources/phantom/test_scan.py::test_smoothing_and_a_threshold_do_not_find_the_lesions",
    "datasets/sources/phantom/test_scan.py::test_the_size_changes_the_sampling_and_not_the_anatomy",
    "datasets/sources/test_tfds.py",
    "docs/test_documents.py::test_the_python_of_the_documents_runs",
    "docs/test_load_a_network.py",
    "docs/test_measuring.py::test_the_report_of_a_long_run_is_no_larger_than_that_of_a_shorter_one",
    "docs/test_measuring.py::test_the_sides_of_a_step_are_trained",
    "docs/test_quickstart.py::test_every_cell_runs",
    "docs/test_reference.py::test_every_generated_part_is_up_to_date",
    "faults/test_faults.py",
    "figures/test_renderers.py",
    "figures/test_run_figures.py",
    "fusion/test_arguments.py",
    "fusion/test_auxiliary.py::test_the_auxiliary_loss_is_trained_on",
    "fusion/test_data_parallel.py",
    "fusion/test_float16_steps.py",
    "fusion/test_inputs.py",
    "fusion/test_logit_gradients.py::test_ratios_and_cosines_at_the_logits_are_near_those_in_the_weights",
    "fusion/test_logs.py",
    "fusion/test_precision.py",
    "fusion/test_scales.py",
    "fusion/test_saving.py",
    "fusion/test_steps.py",
    "losses/test_distance.py::test_a_fused_model_takes_the_map_along_with_the_labels",
    "losses/test_large.py",
    "losses/test_properties.py::test_what_dmf_check_looks_for",
    "losses/test_properties.py::test_xla_gives_the_same_values",
    "losses/test_void.py::test_a_fused_model_trains_and_validates_without_them",
    "models/test_hub.py",
    "models/test_models.py",
    "models/test_nnunet.py",
    "models/test_unet.py",
    "models/test_unet_encoder.py",
    "sweeps/test_launchers.py",
    "sweeps/test_real.py",
    "sweeps/test_sweep.py",
    "test_interrupts.py",
    "test_package.py",
    "training/test_checkpoint.py::test_training_goes_on_bitwise_with_dropout_and_optimizer_state",
    "training/test_classes.py",
    "training/test_devices.py",
    "training/test_distance_terms.py",
    "training/test_encoder_rate.py",
    "training/test_exact_resume.py",
    "training/test_extend.py",
    "training/test_hosts.py",
    "training/test_insight.py",
    "training/test_own_scores.py",
    "training/test_precision.py::test_the_run_is_the_one_for_which_the_chosen_precision_is_typed",
    "training/test_recipes.py",
    "training/test_repeatable.py",
    "training/test_rollback.py",
    "training/test_trackers.py",
    "training/test_trainer.py",
    "training/test_weight_average.py",
    "tuning/test_real.py",
    "tuning/test_search.py",
    "verifying/test_bundle.py",
    "verifying/test_verify.py",
    "weighting/test_generator.py::test_each_counter_gives_another_pair_of_halves",
    "weighting/test_generator.py::test_numbers_are_uniform_and_independent",
    "weighting/test_guards.py::test_weights_stay_sane_with_negative_losses_that_are_refused_in_training",
    "weighting/test_guards.py::test_what_dmf_check_looks_for",
    "weighting/test_memory.py::test_every_row_follows_the_formula",
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
