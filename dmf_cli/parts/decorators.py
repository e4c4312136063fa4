"""The decorators that make a part of a function or a class; they change nothing about it.

    import dmf_cli

    @dmf_cli.loss
    def mine(y_true, y_pred, *, alpha=0.3):
        ...

The name of the part is that of the function or class. Its parameters are those after the ``*``, each with a
default; an annotation (``Literal[...]``, ``Annotated[float, Interval(gt=0)]``, or a name of
:mod:`dmf_cli.ranges`) says which values it takes, and without one the type of the default does.
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from dmf_cli.errors import ConfigError, PluginError
from dmf_cli.parts.kinds import KINDS

T = TypeVar("T", bound=Callable[..., Any])

# (kind, name) -> what carries the decorator, of all files that have been imported.
registered: dict[tuple[str, str], Any] = {}
# (kind, name) -> what its decorator was given.
given: dict[tuple[str, str], dict[str, Any]] = {}


def loss(function: T) -> T:
    """A loss ``(y_true, y_pred, *, ...) -> scalar``, for ``loss=NAME+ce`` and ``auxiliary=NAME``.

    ``y_true`` is one-hot and ``y_pred`` probabilities, both ``(batch, *spatial, classes)``; one class is a
    sigmoid foreground. Use :mod:`keras.ops`, so that it compiles on every backend.
    """
    return _register("loss", function)


def model(function: T) -> T:
    """A network ``(input_shape, classes, *, ...) -> keras.Model``, for ``model=NAME``.

    ``input_shape`` is ``(height, width, channels)``; the model gives probabilities ``(batch, height, width,
    classes)`` in float32: a softmax over two classes or more, or a sigmoid where ``classes`` is 1.
    """
    return _register("model", function)


def strategy(cls: T) -> T:
    """A weighting strategy, a subclass of :class:`dmf_cli.weighting.Strategy`, for ``weighting=NAME``."""
    return _register("strategy", cls)


def metric(*, better: Literal["high", "low"]) -> Callable[[T], T]:
    """A metric, ``@metric(better="high")``, for ``metrics=default+NAME``.

    Either ``(truth, prediction, *, ...) -> float`` of two boolean masks ``(height, width)`` of one image, or
    ``(counts, *, ...) -> array`` of :class:`dmf_cli.metrics.Counts`. NaN where it is undefined.

    Args:
        better: whether ``high`` or ``low`` values are good.
    """
    if better not in ("high", "low"):
        raise ConfigError(key="metric(better=...)", value=better, allowed="high or low, as better='high'")

    def decorate(function: T) -> T:
        given["metric", _register("metric", function).__name__] = {"better": better}
        return function

    return decorate


def augmentation(function: T) -> T:
    """An augmentation ``(images, labels, draw, *, ...) -> (images, labels)``, for ``augment=NAME``.

    TensorFlow tensors of one batch: images float32 ``(batch, height, width, channels)``, labels integers
    ``(batch, height, width)``. ``draw(stream, shape, normal=False)`` gives ``(batch, *shape)`` numbers,
    uniform in [-1, 1) or normal, which depend on seed, epoch and sample alone; each ``stream`` is another
    sequence.
    """
    return _register("augmentation", function)


def dataset(function: T) -> T:
    """A dataset: a function or a class ``(*, ...)`` that yields its cases, for ``dataset=NAME``."""
    return _register("dataset", function)


def file_of(function: Any) -> Path | None:
    """The file in which a function or class is written; None: in no file, as in a notebook."""
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _register(kind: str, function: T) -> T:
    name = getattr(function, "__name__", "")
    if not (inspect.isfunction(function) or inspect.isclass(function)) or not name.isidentifier():
        raise PluginError(f"@{kind} stands before {function!r}", hint=f"put it before {KINDS[kind].shape}")
    before = registered.get((kind, name))
    if before is not None and not _is_same(before, function):
        raise PluginError(
            f"there is a {kind} {name!r} already, in {file_of(before) or 'this program'}",
            key=kind,
            value=name,
            hint=f"give that of {file_of(function) or 'this program'} another name",
        )
    registered[kind, name] = function
    return function


def _is_same(before: Any, now: Any) -> bool:
    """Whether a file, or a cell of a notebook, is run once more; a copy of a file is the same file."""
    old, new = file_of(before), file_of(now)
    if old is None or new is None:
        return old == new
    return old == new or (old.name == new.name and old.read_bytes() == new.read_bytes())
