"""A run of MLflow: parameters, metrics of epochs and steps, scores, and the files that people look at."""

import importlib.util
import math
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli import __version__, hints
from dmf_cli.comparison.loading import flat
from dmf_cli.config import schema
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training.trackers import Row, thinned

ENDS = {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
FILES = ("config.yaml", "environment.json", "split.json", "epochs.csv", "train.log", "report.html")
FOLDERS = ("metrics", "plots")
VALUE_LENGTH, BATCH = 500, 100  # characters of a parameter, and entities in a request, that every store takes
ASIDE = ("epoch", "step")
# Unless the user has set them. A server that is gone is reported soon, instead of after MLflow's minutes.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # it would write over the table of the run
}


def check(options: schema.MLflow, root: str) -> None:
    """Whether MLflow, and what the store needs, is installed.

    Raises:
        ConfigError: it is not.
    """
    needed = ["mlflow", *(["sqlalchemy", "alembic"] if _uri(options.uri, root).startswith("sqlite") else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        what = f"tracker=mlflow needs {' and '.join(missing)}"
        install = f"{hints.install('mlflow')}, or take tracker=none"
        raise ConfigError(what, key="tracker", value="mlflow", hint=install)


class MLflow:
    """Epochs as ``COLUMN`` over epochs, steps as ``step/COLUMN`` over steps, scores as ``test/METRIC``."""

    def __init__(self, options: schema.MLflow, config: Config, run: RunFolder) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        self.config, self.run, self.uri = config, run, _uri(options.uri, config.output_root)
        if self.uri.startswith("file:") or "://" not in self.uri:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3.7 asks for a word; this is it
        self.every, self.experiment = options.every, options.experiment
        self.last = 0

    def start(self) -> dict[str, str]:
        """A new run of MLflow, or the one that this run had before it was resumed."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        self.client = MlflowClient(tracking_uri=self.uri)
        known = self.run.read_status().get("tracker") or {}
        if known.get("name") == "mlflow" and known.get("uri") == self.uri:
            self.id = str(known["run"])
            self.client.update_run(self.id, status="RUNNING")
        else:
            tags = {"dmf.version": __version__, "dmf.folder": str(self.run.path.resolve())}
            name = self.run.path.resolve().name
            self.id = self.client.create_run(self._experiment(), run_name=name, tags=tags).info.run_id
            params = [
                Param(_name(key), str(value)[:VALUE_LENGTH]) for key, value in flat(self.config.plain).items()
            ]
            for batch in _batches(params):
                self.client.log_batch(self.id, params=batch)
        return {"uri": self.uri, "run": self.id}

    def epoch(self, row: Row, steps: Sequence[Row]) -> None:
        """One value a column and epoch, and those of some steps."""
        self.last = int(row["epoch"])
        found = _metrics(row, "", self.last)
        for step in thinned(steps, self.every):
            found += _metrics(step, "step/", int(step["step"]))
        self._log(found)

    def finish(self, state: str, scores: Row) -> None:
        """Scores, tables, plots and report; then the run of MLflow ends as this one did."""
        self._log(_metrics(scores, "test/", self.last))
        for name in FILES:
            if (self.run.path / name).is_file():
                self.client.log_artifact(self.id, str(self.run.path / name))
        for name in FOLDERS:
            if any((self.run.path / name).iterdir()):
                self.client.log_artifacts(self.id, str(self.run.path / name), name)
        self.client.set_terminated(self.id, status=ENDS[state])

    def _experiment(self) -> str:
        """The id of the experiment; another job of a sweep may make it at the same moment."""
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                return str(self.client.create_experiment(self.experiment, self._artifacts()))
            except MlflowException:
                found = self.client.get_experiment_by_name(self.experiment)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _artifacts(self) -> str | None:
        """Beside a local database: MLflow would put them where the command was typed."""
        prefix = "sqlite:///"
        if not self.uri.startswith(prefix):
            return None
        folder = Path(self.uri.removeprefix(prefix)).absolute().parent / "mlflow_artifacts"
        return (folder / _name(self.experiment)).as_uri()

    def _log(self, metrics: list[Any]) -> None:
        for batch in _batches(metrics):
            self.client.log_batch(self.id, metrics=batch)


def _uri(wanted: str | None, root: str) -> str:
    """Of the config, of the environment, or a database in the output folder; folders are made absolute."""
    given = wanted or os.environ.get("MLFLOW_TRACKING_URI")
    return given or f"sqlite:///{Path(root).expanduser().absolute() / 'mlflow.db'}"


def _metrics(values: Row, prefix: str, at: int) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(_name(f"{prefix}{name}"), float(value), now, at)
        for name, value in values.items()
        if name not in ASIDE and math.isfinite(value)
    ]


def _name(text: str) -> str:
    """With the characters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", text)[:250]


def _batches(items: list[Any]) -> list[list[Any]]:
    return [items[i : i + BATCH] for i in range(0, len(items), BATCH)]
