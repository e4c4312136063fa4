"""What makes two runs the same run: the config that decides their result, the images, the version of dmf.

The id is in the status of every run, so that a sweep that is started again knows what is done.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import __version__
from dmf_cli.config import dataset_schema, schema, typed
from dmf_cli.config.typed import Config
from dmf_cli.datasets.base import Dataset
from dmf_cli.hashes import digest
from dmf_cli.run_folder import headline, off_values, weights
from dmf_cli.run_folder.config_hash import ASIDE, contents, frozen, without_null

# Options of datasets that came later, with the values that leave everything as it was before them.
AS_BEFORE = {
    "size_mismatch": "error",
    "task": "lesion",
    "folders": "strata",
    "on_bad": "error",
    "max_pixels": 178_956_970,
}

# Keys of the trainer that decide nothing: where images are kept, what is kept to resume from, and on how many
# devices the same steps are computed (sums are rounded in another order, as on another kind of GPU).
NO_MATTER = ("cache", "keep", "checkpoint_minutes", "devices", "hosts")


def run_id(config: Config, dataset: Dataset | None = None) -> str:
    """The id of the run that ``config`` describes, 16 hex digits, the same on every machine.

    Args:
        config: as composed, before ``auto`` values are filled in. A key that is null counts as absent, so
            that a version that adds an option which is off keeps the ids of earlier runs.
        dataset: that of ``config``, if it is open already; else it is opened where its content matters.

    Raises:
        DatasetError: the images or the split file cannot be read.
    """
    plain = config.plain
    settings = {key: value for key, value in plain.items() if key not in ASIDE}
    settings["predict"] = _different(plain.get("predict", {}), schema.Predict()) or None
    if "plugins" in settings:
        settings["plugins"] = contents(settings["plugins"])
    places = dataset_schema.places(plain["dataset"])
    images = {k: v for k, v in plain["dataset"].items() if k not in places}
    settings["dataset"] = {k: v for k, v in images.items() if AS_BEFORE.get(k) != v}
    # An option that is off is as if it were not there.
    names = {group: values.get("name") for group, values in plain.items() if isinstance(values, Mapping)}
    for group, off in off_values.of(names).items():
        settings[group] = {k: v for k, v in settings.get(group, {}).items() if k not in off or v != off[k]}
    for key in NO_MATTER:
        settings["trainer"].pop(key, None)
    if "monitor" in settings["trainer"]:
        # `auto` is what it stands for, which for one class is what it was before
        settings["trainer"]["monitor"] = headline.planned_monitor(config)
    if source := settings["model"].get("weights"):
        settings["model"]["weights"] = weights.content(source)
    settings["split"] = {**plain["split"], "file": _split_content(plain["split"].get("file"))}
    content = ""
    if has_folder(config):
        content = dataset.fingerprint() if dataset else _fingerprint(frozen(plain["dataset"]))
    text = json.dumps([without_null(settings), content, __version__], sort_keys=True)
    return digest(text)


def _different(group: Mapping[str, Any], default: Any) -> dict[str, Any]:
    """The keys of ``group`` that are not as in ``default``: what is off is as if it were not there."""
    return {key: value for key, value in group.items() if getattr(default, key, None) != value}


def as_asked(config: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
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


def _with_automatic_monitor(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """``config`` with ``auto`` for the monitor that it stands for."""
    trainer = config.get("trainer")
    if not isinstance(trainer, Mapping) or not isinstance(config.get("dataset"), Mapping):
        return config
    if trainer.get("monitor") != headline.automatic_monitor(config):
        return config
    return {**config, "trainer": {**trainer, "monitor": "auto"}}


def has_folder(config: Config) -> bool:
    """Whether the images are files of the user's; those of the phantom are identified by their config."""
    images = config.plain["dataset"]
    return "dir" in images or images.get("kind") in ("own", "table", "tfds")


@functools.lru_cache(maxsize=8)
def _fingerprint(dataset: str) -> str:
    """Of the ``dataset`` group given as JSON: the jobs of a sweep mostly share one."""
    from dmf_cli import datasets

    return datasets.open_dataset(typed.dataset(json.loads(dataset))).fingerprint()


def _split_content(file: str | None) -> str | None:
    """A saved split is known by what it says, not by where it is."""
    if not file:
        return None
    from dmf_cli.datasets.splits.division import read_split

    path = Path(file).expanduser()
    read_split(path)  # reports what is wrong with it, as everywhere
    return digest(path.read_text(encoding="utf-8"))
