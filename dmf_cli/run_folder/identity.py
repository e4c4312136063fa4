"""What makes two runs the same run: the config that decides their result, the images, the version of dmf.

The id is in the status of every run, so that a sweep that is started again knows what is done.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import __version__
from dmf_cli.datasets.base import Dataset
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder import headline

Config = Mapping[str, Any]
# Top-level keys that say where a run is, and what is made of its results.
ASIDE = ("run_dir", "output_root", "report", "tracker", "sweep", "tune", "hydra")
# Places of the same images: a dataset is known by its content, or by what it is generated from.
PLACES = ("dir", "data_dir", "download")
# Options of datasets that came later, with the values that leave everything as it was before them.
AS_BEFORE = {
    "size_mismatch": "error",
    "task": "lesion",
    "folders": "strata",
    "on_bad": "error",
    "max_pixels": 178_956_970,
}
# Of the trainer: where images are kept decides nothing, and an option that is off is as if it were not there.
ASIDE_IN_TRAINER = {"cache": ("auto", "memory", "disk", "none"), "oversample": (0,)}
LENGTH = 16


def run_id(config: Config, dataset: Dataset | None = None) -> str:
    """The id of the run that ``config`` describes, 16 hex digits, the same on every machine.

    Args:
        config: as composed, before ``auto`` values are filled in. A key that is null counts as absent, so
            that a version that adds an option which is off keeps the ids of earlier runs.
        dataset: that of ``config``, if it is open already; else it is opened where its content matters.

    Raises:
        DatasetError: the images or the split file cannot be read.
    """
    settings = {key: value for key, value in config.items() if key not in ASIDE}
    images = {k: v for k, v in config["dataset"].items() if k not in PLACES}
    settings["dataset"] = {k: v for k, v in images.items() if AS_BEFORE.get(k) != v}
    trainer = config.get("trainer", {})
    settings["trainer"] = {k: v for k, v in trainer.items() if v not in ASIDE_IN_TRAINER.get(k, ())}
    if "monitor" in trainer:  # `auto` is what it stands for, which for one class is what it was before
        settings["trainer"]["monitor"] = headline.planned_monitor(config)
    weights = config.get("model", {}).get("weights")
    if weights:
        settings["model"] = {**config["model"], "weights": _weights_content(weights)}
    settings["split"] = {**config["split"], "file": _split_content(config["split"].get("file"))}
    content = ""
    if has_folder(config):
        content = dataset.fingerprint() if dataset else _fingerprint(_frozen(config["dataset"]))
    text = json.dumps([_without_null(settings), content, __version__], sort_keys=True)
    return _hash(text)


def group_hashes(config: Config) -> dict[str, str]:
    """A hash of each group of a stored config, without places: ``status.json`` says what the run was."""
    found = {}
    for key, value in config.items():
        if key not in ASIDE:
            hidden = {"dataset": PLACES, "split": ("file",)}.get(key, ())
            kept = (
                {k: v for k, v in value.items() if k not in hidden} if isinstance(value, Mapping) else value
            )
            found[key] = _hash(_frozen(_without_null(kept)))[:8]
    return found


def check_unedited(path: Path, config: Config) -> None:
    """Whether ``config`` of the run in ``path`` is the one that it was started with; places may differ.

    Runs of earlier versions, which have no hashes of their config, pass.

    Raises:
        RunFolderError: it was edited.
    """
    from dmf_cli.run_folder import index

    said, now = index.read(Path(path)).status.get("config"), group_hashes(config)
    if not isinstance(said, Mapping):
        return
    edited = sorted(key for key in {*said, *now} if said.get(key) != now.get(key))
    if edited:
        raise RunFolderError(
            f"{path}/config.yaml was edited: {', '.join(edited)} {'is' if len(edited) == 1 else 'are'} not "
            "what the run was started with; undo that, or start another run with dmf train"
        )


def as_asked(config: Config, status: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a run before what stands for ``auto`` was filled in: numbers from its status, and
    the monitor.

    They depend on the images: two folds of one split may differ in them and are one setting.
    """
    config = _with_automatic_monitor(config)
    found, filled = dict(config), status.get("auto")
    for key in filled if isinstance(filled, list) else ():
        group, _, leaf = str(key).partition(".")
        if isinstance(found.get(group), Mapping):
            found[group] = {**found[group], leaf: "auto"}
    return found


def _with_automatic_monitor(config: Config) -> Config:
    """``config`` with ``auto`` for the monitor that it stands for."""
    trainer = config.get("trainer")
    if not isinstance(trainer, Mapping) or not isinstance(config.get("dataset"), Mapping):
        return config
    if trainer.get("monitor") != headline.automatic_monitor(config):
        return config
    return {**config, "trainer": {**trainer, "monitor": "auto"}}


def has_folder(config: Config) -> bool:
    """Whether the images are files of the user's; those of the phantom are identified by their config."""
    return "dir" in config["dataset"] or config["dataset"].get("kind") == "tfds"


@functools.lru_cache(maxsize=8)
def _fingerprint(dataset: str) -> str:
    """Of the ``dataset`` group given as JSON: the jobs of a sweep mostly share one."""
    from dmf_cli import datasets

    return datasets.open_dataset(json.loads(dataset)).fingerprint()


def _weights_content(source: str) -> str:
    from dmf_cli.training import initial_weights

    return initial_weights.content(source)


def _split_content(file: str | None) -> str | None:
    """A saved split is known by what it says, not by where it is."""
    if not file:
        return None
    from dmf_cli.datasets.splits.division import read_split

    path = Path(file).expanduser()
    read_split(path)  # an error in it is reported as it is everywhere
    return _hash(path.read_text(encoding="utf-8"))


def _frozen(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_null(item) for item in value]
    # 1e-3 and 0.001 are one float, 1 and 1.0 are one number.
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
