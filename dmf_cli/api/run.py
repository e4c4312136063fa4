"""A run as an object: what its folder holds, its network, and what can be done with it."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli import bounded, conf_files, hints, machine
from dmf_cli import config as configs
from dmf_cli.api import frames, process, words
from dmf_cli.api.frames import Frame
from dmf_cli.config.typed import Config
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder import headline, index, stored_config
from dmf_cli.run_folder.folder import RunFolder


class Scores:
    """The scores of one split, as ``dmf eval`` gives them.

    Args:
        name: of the files in ``metrics/``, such as ``test``.
        scores: one row an image: ``id``, ``stratum``, ``foreground.dice``, ``class.NAME.iou``, ...
        summary: ``{"foreground": {"dice": {"mean": ...}}}``, with ``classes``, ``counts`` and ``settings``.
    """

    def __init__(self, name: str, scores: Frame, summary: dict[str, Any]) -> None:
        self.name, self.scores, self.summary = name, scores, summary

    @property
    def dice(self) -> float:
        """Mean Dice over the images: of the foreground, with several classes of their mean."""
        return _dice(self.summary)

    def __repr__(self) -> str:
        return f"Scores({self.name!r}, Dice {self.dice:.3f})"

    def _repr_html_(self) -> str:
        from dmf_cli.api import html

        return html.scores(self.summary)


class Run:
    """A run on disk, whether it is complete or not; it is read when it is asked.

    Args:
        path: its folder.
        trust: whether code that the folder keeps, of a run with parts of somebody's own, may be run.

    Attributes:
        path: likewise.

    Raises:
        RunFolderError: ``path`` is no run; names the one that was probably meant.

    Example:
        >>> run = dmf_cli.load("outputs/busi")
        >>> run.epochs["val_foreground_dice"].max(), run.config.trainer.epochs
        (0.73, 60)
        >>> mask = run.predict("photo.png")
    """

    def __init__(self, path: str | Path, *, trust: bool = False) -> None:
        self._folder, self._trust = RunFolder.open(path), trust
        self.path = self._folder.path

    @property
    def config(self) -> Config:
        """What it was trained with, as objects: ``run.config.trainer.epochs``; ``.plain`` is a mapping."""
        return stored_config.load_run(self.path)

    @property
    def status(self) -> dict[str, Any]:
        """``status.json``: ``state``, ``epoch``, ``best``, ``started``, ... and ``message`` if it failed."""
        return self._folder.read_status()

    @property
    def state(self) -> str:
        """``running``, ``completed``, ``failed`` or ``interrupted``."""
        entry = index.read(self.path)
        said = str(entry.status.get("state", "unknown"))
        return "interrupted" if said == "running" != entry.state else said

    @property
    def epochs(self) -> Frame:
        """One row an epoch: ``loss``, ``loss.TERM``, ``weight.TERM``, ``val_foreground_dice``, ..."""
        return frames.frame(self._folder.read_epochs())

    @property
    def steps(self) -> Frame:
        """One row a step: ``step``, ``epoch``, ``loss``, ``loss.TERM``, ``weight.TERM``, ..."""
        return frames.frame(self._folder.read_steps())

    @property
    def diverged(self) -> Frame:
        """The steps of the epochs that ``trainer.on_diverge=rollback`` undid; else none."""
        return frames.frame(self._folder.read_diverged())

    @property
    def scores(self) -> Frame:
        """One row an image of the test split: ``id``, ``stratum``, ``foreground.dice``, ...

        Raises:
            RunFolderError: the run has not been scored.
        """
        return frames.read(self._folder.metrics / "test_per_image.csv", self._again)

    @property
    def summary(self) -> dict[str, Any]:
        """Means over the test split: ``run.summary["foreground"]["dice"]["mean"]``.

        Raises:
            RunFolderError: the run has not been scored.
        """
        return self._summary()

    @property
    def dice(self) -> float:
        """Mean Dice of the test split; see :attr:`Scores.dice`."""
        return _dice(self.summary)

    @functools.cached_property
    def network(self) -> Any:
        """The ``keras.Model`` of the best epoch: ``(batch, h, w, C)`` to probabilities ``(batch, h, w, K)``.

        Imports Keras, with the backend of the run unless another one is imported already.

        Raises:
            CheckpointError: no epoch was finished, or the file is damaged.
        """
        from dmf_cli import runtime
        from dmf_cli.inference.network_file import load_network

        self._use_plugins()
        with process.borrowed():
            runtime.start(process.on_loaded_backend(self.config).trainer)
            return load_network(self._folder.best_model)

    def predict(
        self,
        image: Any,
        *,
        probabilities: bool = False,
        threshold: float | None = None,
        overrides: Sequence[str] = (),
        **settings: Any,
    ) -> np.ndarray | list[np.ndarray]:
        """The mask of an image, or of each image of a list.

        Args:
            image: a path, or an array ``(H, W)`` or ``(H, W, 1 or 3)``, uint8 or floats from 0 (black) to 255
                (white), of any size; or a list of these. A run on arrays takes the values that it was trained
                on.
            probabilities: give these in place of the mask.
            threshold: of the foreground's probability; None: that of the run (``metrics.threshold``).
            overrides: words as on the command line.
            settings: how masks are made, if not as in the run: ``**{"predict.mirror": True}``, ...

        Returns:
            Class indices ``(H, W)`` uint8, at the image's own size; or probabilities ``(H, W, K)`` float32,
            K = 1 for a sigmoid head, else the number of classes. Of a list a list.

        Raises:
            DatasetError: no image, or one that cannot be read.
            ConfigError: a threshold outside of (0, 1), or a setting that changes no mask.
            CheckpointError: see :attr:`network`.
        """
        from dmf_cli.api import own_data
        from dmf_cli.inference import ensemble
        from dmf_cli.inference.evaluation_config import prediction_config
        from dmf_cli.inference.predict_images import predict_images

        asked_for = prediction_config(self.path, words.of(settings, overrides))
        config, many = ensemble.for_images(asked_for, threshold), isinstance(image, list | tuple)
        own = configs.with_absolute_paths(self.config)
        used = ensemble.Ensemble((ensemble.Member(self._folder, own, self.network),))
        predict, prediction, batch = used.predict, used.prediction(config), config.trainer.batch_size
        asked = [own_data.as_trained(one, config.dataset) for one in (image if many else [image])]
        made = predict_images(predict, asked, prediction, batch)
        found = [values if probabilities else mask for mask, values in made]
        return found if many else found[0]

    def evaluate(
        self,
        split: str = "test",
        *,
        overrides: Sequence[str] = (),
        config_dir: str | Path | None = None,
        **settings: Any,
    ) -> Scores:
        """Score the best network, as ``dmf eval``; its files go to the folder of the run.

        Args:
            split: ``train``, ``val``, ``test`` or ``all``.
            overrides: words as on the command line.
            config_dir: one more folder with config groups of your own.
            settings: ``metrics="full"``, ``dataset={"name": "folder", "dir": ...}``,
                ``**{"metrics.threshold": 0.4}``, ...

        Raises:
            UsageError: a setting that changes no score, an unknown split, or images that do not fit.
            CheckpointError: there is no network.
        """
        from dmf_cli.inference import score
        from dmf_cli.inference.evaluation_config import evaluation_config

        self._use_plugins()
        asked = [f"split={split}", *words.of(settings, overrides)]
        config, split = evaluation_config(self.path, asked, conf_files.own_configs(config_dir))
        with process.borrowed():
            found = score.evaluate_run(self.path, config, split)
        names = list(found.rows[0])
        rows = frames.of_rows(names, [list(row.values()) for row in found.rows])
        return Scores(found.summary["settings"]["split"], rows, found.summary)

    def resume(self, *, overrides: Sequence[str] = (), **places: Any) -> "Run":
        """Resume the run in its own folder after an interruption or a failure, as ``dmf resume``.

        Args:
            overrides: words as on the command line.
            places: where things are now, such as ``**{"dataset.dir": ...}``.

        Raises:
            UsageError: it is complete, its config was edited, or its images are not the same.
            RunError: the training failed.
        """
        from dmf_cli.config import moving
        from dmf_cli.training import trainer

        self._use_plugins()
        asked = words.of(places, overrides)
        used = moving.resumed(self.config, asked)
        alike = machine.on_processors(RunFolder(self.path).processors)
        with process.borrowed(["dmf", "resume", str(self.path), *asked]), alike:
            return Run(trainer.resume(self.path, used))

    def extend(
        self, epochs: int, *, schedule: str | None = None, overrides: Sequence[str] = (), **settings: Any
    ) -> "Run":
        """Train on up to ``epochs``, as a new run, as ``dmf extend``.

        Args:
            epochs: that the new run is to reach.
            schedule: ``continue`` or ``restart``; may be omitted where the schedule is constant or plateau.
            overrides: words as on the command line.
            settings: ``run_dir=...``, ``output_root=...``, ``trainer={"patience": ...}``.

        Raises:
            ConfigError: no more epochs than it has, or a schedule that needs to be said.
            RunError: the training failed.
        """
        from dmf_cli.training import extend

        self._use_plugins()
        asked = [f"trainer.epochs={epochs}", *words.of(settings, overrides)]
        config = extend.extension_config(self.path, asked, schedule)
        policy = ["--schedule", schedule] if schedule else []
        with process.borrowed(["dmf", "extend", str(self.path), *asked, *policy]):
            return Run(extend.extend(self.path, config, schedule))

    def export(
        self,
        format: str = "keras",
        output: str | Path | None = None,
        *,
        overrides: Sequence[str] = (),
        **settings: Any,
    ) -> Path:
        """Write the best network for use elsewhere, as ``dmf export``.

        Args:
            format: ``keras``, ``onnx`` or ``savedmodel``.
            output: what to make; None: in the ``export/`` of the run.
            overrides: words as on the command line.
            settings: how masks are made, as in :meth:`predict`.

        Returns:
            Where it is; a JSON file beside it says how to use it.

        Raises:
            UsageError: something is there already, or a package is missing.
            CheckpointError: no epoch was finished.
        """
        from dmf_cli.inference import export
        from dmf_cli.inference.evaluation_config import prediction_config

        config = prediction_config(self.path, words.of(settings, overrides))
        place = export.place(self.path, format) if output is None else Path(output)
        export.check(format, place)
        self._use_plugins()
        with process.borrowed():
            export.export_runs([self.path], config, format, place)
        return place

    def report(self, output: str | Path | None = None) -> Path:
        """Write one HTML file that shows the run, as ``dmf report``; returns where it is."""
        from dmf_cli import report

        return report.write([self.path], None if output is None else Path(output)).file

    def _use_plugins(self) -> None:
        from dmf_cli.api import objects
        from dmf_cli.run_folder import run_plugins

        objects.known()
        run_plugins.use(self.path, self.config, trust=self._trust)

    def _summary(self) -> dict[str, Any]:
        file = self._folder.metrics / "test_summary.json"
        try:
            return dict(bounded.read_json(file, most=bounded.MOST_SCORES))
        except (OSError, ValueError):
            raise RunFolderError(path=file, reason="is missing or damaged", hint=self._again) from None

    @property
    def _again(self) -> str:
        return f"`{hints.command('eval', self.path)}`, or evaluate(), writes it"

    def __repr__(self) -> str:
        scored = f", test Dice {self.dice:.3f}" if self._is_scored else ""
        return f"Run({str(self.path)!r}, {self.state}{scored})"

    @property
    def _is_scored(self) -> bool:
        return (self._folder.metrics / "test_summary.json").is_file()

    def _repr_html_(self) -> str:
        from dmf_cli.api import html

        return html.run(self.path, self.state, self.status, self.summary if self._is_scored else None)


def load(path: str | Path, *, trust: bool = False) -> Run:
    """The run in the folder ``path``, complete or not.

    Args:
        path: the folder.
        trust: whether code that the folder keeps, of a run with parts of somebody's own, may be run.

    Raises:
        RunFolderError: it is no run (names the one that was probably meant), or its config is damaged or
            was edited.

    Example:
        >>> dmf_cli.load("outputs/busi").dice
        0.713
    """
    run = Run(path, trust=trust)
    stored_config.load_run(run.path)  # what is wrong with it is said here
    return run


def _dice(summary: dict[str, Any]) -> float:
    value = summary[headline.scope(summary)]["dice"]["mean"]
    return float("nan") if value is None else float(value)
