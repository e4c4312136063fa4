"""Runs as `dmf train` leaves them, without training: numbers, masks and names of our choice."""

import json

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli import metrics
from dmf_cli.inference import tables
from dmf_cli.inference.evaluation import Evaluation, Example, extremes
from dmf_cli.metrics import summary
from dmf_cli.run_folder import cases
from dmf_cli.run_folder.folder import RunFolder

TERMS = ("cbdice", "bce")
NASTY = "<b>x</b> & \"y\" 'z' </script><img src=q>"


@pytest.fixture(scope="session")
def composed():
    """Configs are composed once."""
    given = ["trainer.epochs=4", "dataset.image_size=32", "loss=cbdice+bce", "loss.terms.cbdice.absent=max"]
    return {name: configs.compose([f"weighting={name}", *given]) for name in ("fixed", "var")}


def evaluation(seed, images=20, first="image 00"):
    """Squares that are found more or less: image 0 is missed, the last two are empty, one a false alarm."""
    rng = np.random.default_rng(seed)
    truths, predictions = np.zeros((2, images, 24, 30), np.uint8)
    for i in range(images - 2):
        truths[i, 4:16, 4 : 12 + i % 4] = 1
        if i:
            predictions[i, 4 + rng.integers(0, 6) : 16, 4:12] = 1
    predictions[-1, 2:5, 2:5] = 1
    matrices = np.stack([metrics.confusion(t, p, 2) for t, p in zip(truths, predictions, strict=True)])
    counts = metrics.foreground_counts(matrices)
    names = [first, *(f"image {i:02}" for i in range(1, images))]
    columns = {
        "outcome": summary.outcome(counts),
        "lesion_pixels": counts.truth,
        "predicted_pixels": counts.predicted,
    }
    columns |= {f"foreground.{k}": v for k, v in metrics.values(counts).items()}
    rows = [
        {
            "id": name,
            "stratum": "benign",
            "height": 24,
            "width": 30,
            **{k: v[i].item() for k, v in columns.items()},
        }
        for i, name in enumerate(names)
    ]
    figures = summary.summarize(matrices, ("background", "lesion"))
    settings = {"dataset": "phantom", "split": "test", "image_size": [32, 32], "resolution": "original"}
    figures["settings"] = {**settings, "threshold": 0.5, "empty": "nan", "rules": metrics.rules("nan")}
    image = rng.integers(0, 255, (24, 30, 1)).astype(np.uint8)
    kept = [
        Example(names[i], kind, rows[i]["foreground.dice"], image, truths[i], predictions[i])
        for i, kind in extremes(rows).items()
    ]
    return Evaluation(rows, figures, [], kept)


def write_run(path, config, terms=TERMS, first="image 00"):
    """Four epochs of ten steps, gradients, scores and pictures."""
    seed, weighting = config.seed, config.weighting.name
    run = RunFolder.claim(path)
    run.write_config(configs.to_yaml(config))
    run.write_environment({"command": f"dmf train weighting={weighting}", "runtime": {"device": "cpu"}})
    rng = np.random.default_rng(seed)
    for epoch in range(1, 5):
        row = {
            "epoch": epoch,
            "step": 10 * epoch,
            "seconds": 2.0,
            "learning_rate": 1e-3 / epoch,
            "loss": 1 / epoch,
        }
        for i, term in enumerate(terms):
            row |= {f"loss.{term}": 1 / epoch, f"weight.{term}": 0.5, f"share.{term}": 0.5 / epoch}
            row |= {f"val_loss.{term}": (1 + i) / epoch}
        run.append_epoch({**row, "val_objective": 1.1 / epoch, "val_foreground_dice": 0.2 * epoch})
    steps = [{"step": s, "epoch": 1 + s // 10, "loss": 1.0, "gamma": 5.0, "aux": 0.1} for s in range(40)]
    for step in steps:
        shift = 0.0 if step["step"] < 12 else 0.2 * rng.random()
        for i, term in enumerate(terms):
            step |= {f"loss.{term}": 1 + rng.random(), f"weight.{term}": 0.5 + (-1) ** i * shift}
    run.append_steps(steps)
    norms = {f"norm.{term}": 0.1 for term in terms}
    run.append_insight(
        [{"step": s, "epoch": 1 + s // 10, **norms, "cosine.cbdice|bce": -0.1} for s in (0, 20)]
    )
    evaluated = evaluation(seed, first=first)
    tables.write_metrics(run.metrics, "test", evaluated)
    cases.write(run.predictions / "test_cases", evaluated.cases)
    ids = [row["id"] for row in evaluated.rows]
    split = {"dataset": "phantom", "fingerprint": "abc", "train": ["a"], "val": ["b"], "test": ids}
    run.split_file.write_text(json.dumps(split))
    run.log.write_text("first line\nlast line\n")
    run.write_status("running", epoch=4, epochs=4, best={"epoch": 3, "val_foreground_dice": 0.6})
    run.write_status("completed")
    return run.path


@pytest.fixture
def finished(tmp_path, composed):
    """``finished("name", weighting="var", seed=1)`` writes one completed run of four epochs of ten steps."""

    def write(name="run", weighting="var", seed=0, **options):
        return write_run(tmp_path / name, composed[weighting].with_root(seed=seed), **options)

    return write


@pytest.fixture(scope="session")
def ready(tmp_path_factory, composed):
    """One completed run that nothing is changed in, for what only looks at it."""
    return write_run(tmp_path_factory.mktemp("ready") / "run", composed["var"])


@pytest.fixture
def sweep(finished, tmp_path):
    """Two strategies over two seeds, in one folder."""
    for weighting in ("fixed", "var"):
        for seed in (0, 1):
            finished(f"sweep_{weighting}{seed}", weighting, seed)
    folder = tmp_path / "sweep"
    folder.mkdir()
    for path in tmp_path.glob("sweep_*"):
        path.rename(folder / path.name.removeprefix("sweep_"))
    return folder
