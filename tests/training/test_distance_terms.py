"""Losses of distance maps from the command's config to the results: the input pipeline makes the maps."""

import json

import numpy as np
import pytest
import tensorflow

from dmf_cli import losses
from dmf_cli.config.typed import Choice


def test_batches_carry_the_map_of_the_labels_that_they_hold():
    from dmf_cli.datasets.input import augment, pipeline

    labels = np.zeros((4, 12, 12), np.uint8)
    labels[1:, 2:6, 3:9] = 1
    prepared = pipeline.Prepared(labels[..., None].astype(np.float32), labels, ("a", "b", "c", "d"))
    options = {"batch_size": 4, "distance": True}
    moved = augment.make(Choice("affine", {"flip": 0.5, "rotate": 90, "scale": 0.1, "shift": 0.2}), 3)
    for channels in (1, 2):
        both = (
            pipeline.evaluation_batches(prepared, channels_out=channels, **options),
            pipeline.training_batches(prepared, channels_out=channels, seed=0, augment=moved, **options),
        )
        for batches in both:
            assert batches.element_spec[1]["distance"].shape[1:] == (12, 12, channels)
            _, y = next(batches.as_numpy_iterator())
            np.testing.assert_array_equal(y["distance"], losses.signed_distance_numpy(y["labels"]))
            assert y["distance"].any()


@pytest.mark.parametrize("loss", ["boundary+dice", "hausdorff+distance_ce"])
def test_a_run_with_distance_losses(tiny, loss, monkeypatch):
    from dmf_cli.losses import _distance
    from dmf_cli.training import trainer

    in_graph, original = [], _distance.signed_distance

    def computed(mask):
        in_graph.append(not tensorflow.executing_eagerly())  # eager is the check before the run
        return original(mask)

    monkeypatch.setattr(_distance, "signed_distance", computed)
    run = trainer.train(tiny(f"loss={loss}", "weighting=fixed", "trainer.epochs=1", "metrics=full"))
    assert not any(in_graph)  # the pipeline has the map
    assert json.loads((run / "status.json").read_text())["state"] == "completed"
    summary = json.loads((run / "metrics" / "test_summary.json").read_text())
    assert summary["foreground"]["hd95"]["n"] > 0
    assert summary["settings"]["missed"] == "diagonal"
    head, *rows = (run / "epochs.csv").read_text().splitlines()
    for term in loss.split("+"):
        values = [float(row.split(",")[head.split(",").index(f"loss.{term}")]) for row in rows]
        assert np.all(np.isfinite(values))
