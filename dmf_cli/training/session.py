"""One run in memory: opens and builds everything, trains, and scores the best network."""

import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli import datasets, devices, hosts, interrupts, runtime
from dmf_cli.config.typed import Config
from dmf_cli.errors import NonFiniteError
from dmf_cli.inference import seen, tables
from dmf_cli.parts import failures
from dmf_cli.run_folder import identity
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.run_folder.headline import class_column
from dmf_cli.terminal.run_display import Display
from dmf_cli.training import endings, initial_weights, trackers

if TYPE_CHECKING:
    from dmf_cli.training.origin import Origin

log = logging.getLogger("dmf")


class Session:
    """Everything of a run that lives in memory: runtime, data and the compiled model."""

    def __init__(
        self,
        config: Config,
        split_file: Path | None = None,
        *,
        origin: "Origin | None" = None,
        resumed: bool = False,
        several_hosts: bool = False,
    ) -> None:
        """Open and build everything; ``origin`` of a run that extends another, ``resumed`` for one that has a
        checkpoint of its own, ``several_hosts`` for one that they may train together.
        """
        if not several_hosts:
            hosts.check_alone(config.trainer)
        datasets.check_place(config.dataset)  # before anything slow is imported
        self.config, self.display = config, Display()
        self.stop = interrupts.Deferred(self.display.stopping)
        self.display.note(f"loading {config.trainer.backend} and the images of {config.dataset.name}")
        files = datasets.open_files(config.dataset)  # what is wrong with them is said at once
        self.runtime = runtime.start(config.trainer, share=True)
        # Keras may be imported from here on.
        import keras

        from dmf_cli.datasets.input import patches, pipeline, run_data
        from dmf_cli.metrics import own
        from dmf_cli.training import batch_statistics, build, checkpoint, precision

        own.of(config.metrics.own)  # one that cannot score fails before the training
        self.data = run_data.open_data(config, split_file, files)
        batch, n_classes = config.trainer.batch_size, len(self.data.dataset.classes)
        inputs = patches.in_tiles(self.data.train, self.data.patch)
        pipeline.check_augment(config.augment, config.seed, inputs, batch, n_classes)
        self.steps = pipeline.steps_per_epoch(len(self.data.split.train), config.trainer.batch_size)
        self.auto = ["trainer.epochs"] if config.trainer.epochs == "auto" else []
        config = build.with_monitor(build.with_epochs(config, self.steps), self.data.dataset)
        config, self.runtime = precision.settled(config, self.runtime, self.data, self.display.note)
        self.config = config
        if hosts.count() > 1:  # before they make a network, whose values JAX compares in words of its own
            hosts.check_same(
                f"{identity.run_id(config, self.data.dataset)} {config.trainer.keep}", "train the same run"
            )
        # Only now: preparing a dataset for the first time and a trial draw from the same generators.
        keras.utils.set_random_seed(config.seed)
        if origin is not None:  # what was decided by the length of the parent stays
            config = self.config = build.with_warmup(config, self.steps * origin.epochs)
        self.origin = origin
        self.group = devices.DeviceGroup(self.runtime.backend, self.runtime.kind, self.runtime.shared)
        with failures.located_errors(), self.group.scope():
            restored = resumed or origin is not None
            self.model = build.fused_model(config, self.data, self.steps, restored=restored)
        if self.group.replicated:
            batch_statistics.synchronize(self.model.network)
        self.weights = ""
        if config.model.weights and origin is None and not resumed:
            self.weights = initial_weights.start_from(self.model.network, config.model.weights)
        self.before = seen.before(config.model.weights, split_file if origin or resumed else None)
        first = origin.epoch * self.steps if origin is not None and origin.schedule == "restart" else 0
        total, classes = self.steps * config.epochs, self.data.dataset.classes
        # The start of the parent, which no further epoch makes longer.
        begun = self.steps * (origin.epochs if origin else config.epochs)
        frozen = round(config.optimizer.frozen * begun)
        with self.group.scope():
            self.union, self.mean = build.compile_model(
                self.model, config, total - first, self.runtime.jit, len(classes), first, frozen
            )
        if hosts.count() > 1:
            hosts.check_same(checkpoint.fingerprint(self.model), "begin with the same weights")
        interrupts.check()  # noted while modules were imported; nothing is written yet

    def save_split(self, run: RunFolder) -> None:
        """The split as used, with the ids of the images; and what the training images look like."""
        from dmf_cli.datasets.input import input_profile
        from dmf_cli.datasets.splits.division import save_split

        save_split(run.split_file, self.data.dataset, self.data.split, self.before)
        input_profile.write(run.inputs, self.data.train)

    def run(self, run: RunFolder, note: dict[str, Any] | None) -> Path:
        """Fit, evaluate the best network on the test split, plot; whatever happens is in the status."""
        display, stop = self.display, self.stop
        stop.last_words = lambda: endings.interrupted(run)
        with stop, run.logging():
            tracking = trackers.Tracking(self.config, run)
            try:
                run.write_status("running", epochs=self.config.epochs)
                log.info("%s with %s", "resumed" if note else "started", self.runtime)
                for line in self.data.note.splitlines():
                    log.info("%s", line)
                if self.weights:
                    log.info("weights: %s", self.weights)
                if self.runtime.trial:
                    log.info(
                        "trainer.precision=auto is %s: %s", self.runtime.precision, self.runtime.trial.why
                    )
                display.start({**self.describe(run), "first_epoch": note["epoch"] if note else 0})
                lost = note.get("lost", []) if note else []
                known = seen.warning(self.before, self.config, self.data.dataset, self.data.split)
                for line in [*lost, *known, *self.data.warnings(self.config.trainer.monitor)]:
                    log.warning("%s", line)
                tracking.start()
                with hosts.together():
                    self.fit(run, display, note, tracking)
                stop.check()
                display.phase("scoring the test split")
                result = self.evaluate(run)
                run.write_status("completed")
                log.info("completed")
                self.report(run)
                tracking.finish("completed", trackers.scores(result.summary))
                display.finish(tables.render(result), run.path)
            except KeyboardInterrupt:
                display.stop()
                what = endings.interrupted(run)
                tracking.finish("interrupted")
                raise KeyboardInterrupt(what) from None
            except Exception as error:
                display.stop()
                log.error("%s", endings.first_line(error), exc_info=True)
                if stop.asked:  # by its own doing or by the signal's: it was to end, and a resume will show
                    what = endings.interrupted(run)
                    tracking.finish("interrupted")
                    raise KeyboardInterrupt(what) from error
                run.end("failed", message=str(error))
                self.report(run)
                tracking.finish("failed")
                raise endings.as_run_error(error, f"the log is {run.log}") from error
        if stop.asked:  # too late for the run, but not for what would come after it, such as the next job
            raise KeyboardInterrupt(f"{run.path} is complete")
        return run.path

    def assist(self, resumed: RunFolder | None = None) -> Path:
        """Train as the first of several hosts does, which has the run; here nothing stays.

        Args:
            resumed: the run that is continued, whose files this host can read.
        """
        from dmf_cli.training import checkpoint

        self.config = self.config.with_group("tracker", {"name": "none"})
        folder = tempfile.TemporaryDirectory(prefix="dmf-host-", ignore_cleanup_errors=True)
        self.stop.last_words = lambda: _forget(folder)
        with folder, self.stop:
            place, note = Path(folder.name) / "run", None
            if resumed is None:
                run = RunFolder.claim(place)
            else:
                run = RunFolder(shutil.copytree(resumed.path, place))
                hosts.meet()  # from here on the first host changes the files
                note = checkpoint.restore(run, self.model)
            try:
                with run.logging(), hosts.together():
                    self.fit(run, Display("quiet"), note, trackers.Tracking(self.config, run))
            except Exception as error:
                if self.stop.asked:
                    raise KeyboardInterrupt("the first host has the run") from error
                raise endings.as_run_error(error, "this host keeps no log, DMF_DEBUG=1 shows more") from error
        return resumed.path if resumed else Path(self.config.run_dir or self.config.output_root)

    def fit(
        self, run: RunFolder, display: Display, note: dict[str, Any] | None, tracking: trackers.Tracking
    ) -> None:
        """The training itself, with one more attempt where ``trainer.on_diverge`` allows it."""
        from dmf_cli.training import rollback

        trainer = self.config.trainer
        try:
            self._fit(run, display, note, tracking)
        except NonFiniteError as error:
            if trainer.on_diverge == "stop" or any(hosts.agreed([self.stop.asked])):
                raise
            note = rollback.roll_back(run, self.model, error, steps=self.steps, keep=trainer.keep)
            display.back(note["epoch"])
            self._fit(run, display, note, tracking)

    def _fit(
        self, run: RunFolder, display: Display, note: dict[str, Any] | None, tracking: trackers.Tracking
    ) -> None:
        from dmf_cli.datasets.input import augment, patches, pipeline
        from dmf_cli.training import build, callbacks, checkpoint, midway, rollback, weight_average

        rollback.slow_down(self.model, note)
        trainer = self.config.trainer
        batches: dict[str, Any] = {"batch_size": trainer.batch_size, "channels_out": self.data.channels}
        changes = augment.make(self.config.augment, self.config.seed)
        order: dict[str, Any] = {"seed": self.config.seed, "augment": changes}
        order |= {"weights": self.data.weights(trainer.oversample)}
        order |= {"patch": self.data.patch, "foreground": trainer.foreground}
        others, average = build.callbacks(self.config), None
        if self.config.optimizer.ema:
            count = min(weight_average.CALIBRATION_BATCHES, self.steps)
            first_batches = pipeline.training_batches(self.data.train, **order, **batches).take(count)
            average = weight_average.WeightAverage(first_batches)
        writer = callbacks.EpochWriter(
            run,
            trainer.monitor,
            others,
            display.epoch,
            stop=trainer.on_nonfinite == "stop",
            rollback=trainer.on_diverge == "rollback",
            track=tracking.epoch,
            unpredicted=self.unpredicted,
            of_classes=self.of_classes,
            average=average,
            keep=trainer.keep,
        )
        inside = midway.Midway(
            writer.save_midway,
            self.stop,
            self.steps,
            [self.union, *([self.mean] if self.mean else [])],
            display.batch,
            minutes=trainer.checkpoint_minutes,
            average=average,
        )
        first, step = 0, 0
        if note:
            first, step = note["epoch"], note.get("step", 0)
            writer.begin_from(note)
            inside.begin_from(step, note.get(checkpoint.COUNTED, {}))
        if callbacks.had_stopped(note):
            return  # early: the run was cut off after its last epoch
        batches["distance"] = "distance" in self.model.needs
        batches["ignores"] = self.data.dataset.ignores
        validation = pipeline.evaluation_batches(patches.in_tiles(self.data.val, self.data.patch), **batches)
        called = [*others, inside, *([average] if average else []), writer]
        if hosts.count() > 1:
            called.append(midway.StopTogether())

        def batches_from(epoch: int, step: int) -> Any:
            options = {**order, **batches}
            return pipeline.training_batches(self.data.train, first_epoch=epoch, first_step=step, **options)

        epochs = midway.Epochs(self.model, batches_from, validation, self.steps, called)
        with self.group.scope():
            epochs.run(first, step, self.config.epochs)
        for name in writer.missing:
            log.warning(
                "epoch %d, which is kept, never predicts %s in the validation images", writer.best_epoch, name
            )

    def unpredicted(self) -> list[str]:
        """The classes that the validation images hold, and none of which was predicted in the last epoch."""
        if self.mean is None:
            return []
        from dmf_cli.ops.backend import to_numpy

        present, predicted = (to_numpy(v) for v in (self.mean.present, self.mean.predicted))
        names = self.data.dataset.classes[1:]
        return [name for name, p, n in zip(names, present, predicted, strict=True) if p and not n]

    def of_classes(self) -> dict[str, float]:
        """``val_dice.NAME`` of each class above 0 in the last validation; empty where there is one class."""
        if self.mean is None:
            return {}
        from keras.ops import convert_to_numpy

        dice = convert_to_numpy(self.mean.of_classes())
        names = self.data.dataset.classes[1:]
        return {class_column(name): float(one) for name, one in zip(names, dice, strict=True)}

    def evaluate(self, run: RunFolder) -> Any:
        """Score the best network on the test split; tables and plots into the run folder."""
        from dmf_cli.figures import run_figures
        from dmf_cli.inference import score
        from dmf_cli.inference.ensemble import Ensemble, Member

        dataset, split = self.data.dataset, self.data.split
        member = Member(run, self.config, fresh=True, images=(dataset, split.val))
        images: dict[str, Any] = {"groups": {(0,): list(split.test)}, "name": "test"}
        place: dict[str, Any] = {"output": run.path, "progress": self.stop.check}
        parts = seen.earlier_parts(self.before, self.config, dataset, split.test)
        place["settings"] = seen.settings({"before": self.before}, self.config, parts)
        result = score.score(Ensemble((member,)), self.config, dataset, **images, **place)
        run_figures.plot_run(run)
        return result

    def report(self, run: RunFolder) -> None:
        """``report.html``; what goes wrong with it is a line of the log."""
        if self.config.report:
            from dmf_cli import report

            self.display.phase("writing the report")
            report.after_run(run.path)

    def describe(self, run: RunFolder) -> dict[str, Any]:
        """What the banner says."""
        from dmf_cli.datasets.sources.grouping import describe

        return {
            "run": str(run.path),
            "runtime": self.runtime,
            "dataset": self.data.dataset.name,
            "images": {name: len(self.data.part(name)) for name in ("train", "val", "test")},
            "grouping": describe(self.data.dataset),
            "model": self.config.model.name,
            "parameters": self.model.network.count_params(),
            "weights": self.weights,
            "parent": (self.origin.path, self.origin.epoch) if self.origin else None,
            "terms": self.model.terms,
            "weighting": self.model.strategy.name,
            "auxiliary": self.config.auxiliary.name,
            "epochs": self.config.epochs,
            "steps": self.steps,
            "batch_size": self.config.trainer.batch_size,
            "monitor": self.config.trainer.monitor,
        }


def _forget(folder: tempfile.TemporaryDirectory[str]) -> str:
    """The last words of a host that leaves nothing behind, and has nothing to say."""
    folder.cleanup()
    return ""
