"""What ``fit`` of a fused model prints."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras


class FusedProgress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar with the loss, the weights and the user's metrics; the history has the rest.

    Args:
        hidden: names that are not printed.
    """

    def __init__(self, hidden: Sequence[str]) -> None:
        super().__init__()
        self.hidden = set(hidden)

    def _shown(self, logs: Mapping[str, Any] | None) -> dict[str, Any]:
        return {name: value for name, value in (logs or {}).items() if name not in self.hidden}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """One step further."""
        super().on_train_batch_end(batch, self._shown(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """The last line of an epoch."""
        super().on_epoch_end(epoch, self._shown(logs))


def with_progress(callbacks: Any, columns: Sequence[str]) -> Any:
    """``callbacks`` of ``fit`` with a progress bar that hides most of ``columns``, unless there is one."""
    callbacks = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else callbacks
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    given = list(callbacks or [])
    if any(isinstance(one, keras.callbacks.ProgbarLogger) for one in given):
        return given
    hidden = [name for name in columns if not name.startswith("weight.")]
    return [*given, FusedProgress([*hidden, *(f"val_{name}" for name in columns)])]
