"""Event files for TensorBoard, written by TensorFlow itself: the package tensorboard only shows them.

The input pipeline is TensorFlow's on every backend, so it is loaded already.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli.config import schema, to_yaml
from dmf_cli.config.typed import Config
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training.trackers import Row, thinned

ASIDE = ("epoch", "step")  # columns that are no values


class TensorBoard:
    """Scalars ``epoch/COLUMN``, ``step/COLUMN`` and ``test/METRIC``; config and tables as text."""

    def __init__(self, options: schema.TensorBoard, config: Config, run: RunFolder) -> None:
        self.config, self.run, self.every = config, run, options.every
        self.folder = run.path / "tensorboard"
        if options.dir:
            self.folder = Path(options.dir).expanduser() / run.path.resolve().name
        self.last = 0

    def start(self) -> dict[str, str]:
        """A new file in the run's own folder; TensorBoard reads all of them as one run."""
        import tensorflow as tf

        self.tf = tf
        self.folder.mkdir(parents=True, exist_ok=True)
        self.writer = tf.summary.create_file_writer(str(self.folder))
        self._text("config", f"```yaml\n{to_yaml(self.config)}```", 0)
        self.writer.flush()
        return {"dir": str(self.folder)}

    def epoch(self, row: Row, steps: Sequence[Row]) -> None:
        """One point a column and epoch, and those of some steps."""
        self.last = int(row["epoch"])
        self._scalars("epoch", row, self.last)
        for step in thinned(steps, self.every):
            self._scalars("step", step, int(step["step"]))
        self.writer.flush()

    def finish(self, state: str, scores: Row) -> None:
        """Scores of the test split and the tables, at the last epoch."""
        self._scalars("test", scores, self.last)
        for table in sorted(self.run.metrics.glob("*_summary.md")):
            self._text(table.stem, table.read_text(encoding="utf-8"), self.last)
        self._text("state", state, self.last)
        self.writer.close()

    def _scalars(self, kind: str, values: Row, at: int) -> None:
        summary = self.tf.compat.v1.Summary
        points = [
            summary.Value(tag=f"{kind}/{name}", simple_value=float(value))
            for name, value in values.items()
            if name not in ASIDE
        ]
        self._write(summary(value=points), at)

    def _text(self, tag: str, text: str, at: int) -> None:
        """As ``tf.summary.text`` would, which needs the package tensorboard."""
        summary = self.tf.compat.v1.Summary
        value = summary.Value(tag=tag, tensor=self.tf.make_tensor_proto([text.encode()]))
        value.metadata.plugin_data.plugin_name = "text"
        self._write(summary(value=[value]), at)

    def _write(self, summary: Any, at: int) -> None:
        with self.writer.as_default(), self.tf.device("cpu"):
            self.tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=at)
