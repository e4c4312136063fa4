from dmf_cli import config
from dmf_cli.results.identity import run_id


def without(settings, *keys):
    """The config of a run that was made when the dataset had no such keys."""
    return {**settings, "dataset": {k: v for k, v in settings["dataset"].items() if k not in keys}}


def test_options_that_came_later_leave_earlier_runs_what_they_are():
    phantom = config.compose([])
    assert run_id(phantom) == run_id(without(phantom, "task", "lesion_area"))
    assert run_id(phantom) != run_id(config.compose(["dataset.task=type"]))
    assert run_id(phantom) != run_id(config.compose(["dataset.lesion_area=0.1"]))


def test_images_are_the_same_wherever_they_are_and_come_from(tmp_path):
    class Images:
        def fingerprint(self):
            return "abc"

    there = config.compose(["dataset=busi", f"dataset.dir={tmp_path}"])
    here = config.compose(["dataset=busi", "dataset.download.sha256=[null]"])
    assert run_id(there, Images()) == run_id(here, Images())
    assert run_id(here, Images()) == run_id(without(here, "download", "size_mismatch", "table"), Images())
