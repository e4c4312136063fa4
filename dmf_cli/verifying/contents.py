"""What of a run goes into an archive for others: its numbers and settings, without images and places."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli import config as configs
from dmf_cli.config import dataset_schema
from dmf_cli.config.typed import Config
from dmf_cli.errors import RunFolderError
from dmf_cli.files import disk_errors
from dmf_cli.run_folder import places, run_plugins, stored_config

ENVIRONMENT, NETWORK = "environment.json", "checkpoints/best.keras"
AS_IT_IS = (
    "split.json", "inputs.json", "prediction.json", "epochs.csv", "steps.csv", "insight.csv", "diverged.csv",
)  # fmt: skip
METRICS = (".csv", ".json", ".md", ".tex")
OF_THE_MACHINE = ("pid", "host", "tracker")  # of status.json
_PLACE = re.compile(r"(?<![\w/.])~?/(?:[^\s/'\"=,:;]+/)*([^\s/'\"=,:;]+)")


def files(run: Path, *, weights: bool) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of the run in ``run``.

    Raises:
        RunFolderError: it is no run, or a file of it cannot be read.
    """
    stored = stored_config.load_run(run)
    yield places.CONFIG, configs.to_yaml(without_places(stored)).encode()
    for name, change in ((places.STATUS, _status), (ENVIRONMENT, _environment)):
        if (run / name).is_file():
            yield name, (json.dumps(change(_json(run / name)), indent=2) + "\n").encode()
    names = [*AS_IT_IS, *([NETWORK] if weights else [])]
    found = [run / name for name in names if (run / name).is_file()]
    found += [file for file in (run / "metrics").glob("[!.]*") if file.suffix in METRICS and file.is_file()]
    found += [file for file in (run / run_plugins.FOLDER).rglob("*.py") if file.is_file()]
    for file in found:
        with disk_errors(file, "read"):
            yield file.relative_to(run).as_posix(), bounded.read_bytes(file, bounded.MOST_WHOLE)


def without_places(config: Config) -> Config:
    """``config`` in which folders of this machine are names: no hash of a config looks at these keys."""
    keys = [("dataset", key) for key in dataset_schema.places(config.plain["dataset"])]
    for group, key in [*keys, ("split", "file")]:
        if isinstance(given := config.plain[group].get(key), str):
            config = config.changed(group, **{key: Path(given).name})
    if plugins := config.plain.get("plugins"):
        named = {name: {**one, "path": Path(one["path"]).name} for name, one in plugins.items()}
        config = config.with_root(plugins=named)
    # A tracker's address may name folders, people, even passwords; no result depends on it.
    return config.with_group("tracker", {"name": "none"}).with_root(run_dir=None, output_root="outputs")


def absolute(config: Config) -> list[str]:
    """Keys of ``config`` that name a place of this machine all the same."""

    def leaves(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in values.items():
            if isinstance(value, Mapping):
                yield from leaves(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    found = leaves(without_places(config).plain, "")
    return [key for key, value in found if isinstance(value, str) and Path(value).expanduser().is_absolute()]


def without_folders(text: str) -> str:
    """``text`` in which of each absolute path the last part is left.

    Example:
        >>> without_folders("dmf train dataset.dir=/data/ann/busi run_dir=a/b")
        'dmf train dataset.dir=busi run_dir=a/b'
    """
    return _PLACE.sub(r"\1", text)


def _word(word: str) -> str:
    """A word of a command without folders: one whose value is a path, spaces or not, keeps its last part."""
    key, equals, value = word.partition("=")
    if key.startswith("tracker."):
        return f"{key}{equals}..."
    path = value if equals else word
    if path.startswith(("/", "~")):
        return f"{key}=" * bool(equals) + Path(path).name
    return without_folders(word)


def _status(status: dict[str, Any]) -> dict[str, Any]:
    return {key: _cleaned(value) for key, value in status.items() if key not in OF_THE_MACHINE}


def _environment(facts: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in facts.items() if key != "folder"}
    if isinstance(command := kept.get("command"), str):
        try:
            kept["command"] = shlex.join(map(_word, shlex.split(command)))
        except ValueError:  # no command line
            kept["command"] = without_folders(command)
    return kept


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _cleaned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return without_folders(value) if isinstance(value, str) else value


def _json(file: Path) -> dict[str, Any]:
    with disk_errors(file, "read"):
        try:
            found = bounded.read_json(file)
        except ValueError:
            found = None
    if not isinstance(found, dict):
        raise RunFolderError(path=file, reason="is damaged, it is not a JSON mapping", hint="copy it again")
    return found
