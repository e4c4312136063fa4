"""Run folders as `dmf train` leaves them, with scores of our choice."""

import csv
import json

import numpy as np
import pytest

from dmf_cli import config as configs

DICE = "foreground.dice"


def by_name(comparison):
    """Name of a setting -> its row."""
    return {row.group.name: row for row in comparison.rows}


@pytest.fixture(scope="session")
def composed():
    """Configs are composed once: it takes a third of a second."""
    return {
        name: configs.compose([f"weighting={name}", "trainer.epochs=4"]) for name in ("fixed", "var", "mad")
    }


@pytest.fixture
def finished(tmp_path, composed):
    """``finished("name", scores, weighting="var", seed=1)`` writes one completed run.

    ``columns`` stand beside the score in the table per image, ``scored`` are settings of the score.
    """

    def write(
        name,
        scores,
        weighting="fixed",
        seed=0,
        dataset="phantom",
        fingerprint="abc",
        metric=None,
        auto=(),
        columns=None,
        scored=None,
        part="test",
        **changes,
    ):
        folder = tmp_path / "sweep" / name
        (folder / "metrics").mkdir(parents=True)
        config = composed[weighting].with_root(seed=seed)
        for key, value in changes.items():
            group, _, leaf = key.partition("__")
            config = config.changed(group, **{leaf: value}) if leaf else config.with_root(**{key: value})
        (folder / "config.yaml").write_text(configs.to_yaml(config))
        (folder / "status.json").write_text(json.dumps({"state": "completed", "auto": list(auto)}))
        if not isinstance(scores, dict):
            scores = {f"image {i:03}": value for i, value in enumerate(scores)}
        split = {"dataset": dataset, "fingerprint": fingerprint, part: list(scores)}
        (folder / "split.json").write_text(json.dumps(split))
        settings = {"threshold": 0.5, "resolution": "original", "empty": "nan", **(scored or {})}
        (folder / f"metrics/{part}_summary.json").write_text(json.dumps({"settings": settings}))
        with (folder / f"metrics/{part}_per_image.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            more = columns or {"foreground.fpr": [1 - v for v in scores.values()]}
            writer.writerow(["id", metric or "foreground.dice", *more])
            table = zip(scores, scores.values(), *more.values(), strict=True)
            writer.writerows([k, *("" if np.isnan(v) else v for v in row)] for k, *row in table)
        with (folder / "epochs.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", "val_foreground_dice", "val_objective"])
            writer.writerows([e, 0.1 * e + 0.01 * seed, 1 / e] for e in range(1, 5))
        return folder

    return write


@pytest.fixture
def sweep(finished):
    """Two strategies over ``seeds`` seeds; the second is better by ``gain`` on every image."""

    def write(seeds, gain, noise=0.0, images=20):
        rng = np.random.default_rng(0)
        image = rng.uniform(0.2, 0.8, images)
        for seed in range(seeds):
            shift = rng.normal(0, noise)
            finished(f"fixed{seed}", image + shift, "fixed", seed)
            last = finished(f"var{seed}", image + shift + gain + rng.normal(0, noise, images), "var", seed)
        return last.parent

    return write
