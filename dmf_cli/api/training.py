"""One run from one call: ``dmf_cli.train``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.api import objects, process, words
from dmf_cli.api.run import Run

if TYPE_CHECKING:
    from dmf_cli.config.typed import Config
    from dmf_cli.planning.plan import TrainingPlan


def train(
    *,
    plan: str | None = None,
    budget: str | None = None,
    memory: str | None = None,
    overrides: Sequence[str] = (),
    plugins: str | Path | Sequence[str | Path] = (),
    config_dir: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Train, score and plot one run in this process, as ``dmf train``.

    Args:
        plan: ``"auto"`` plans first what is not set, as :func:`dmf_cli.plan`, and trains so.
        budget: with a plan: time for the whole run, as ``"30m"``, which is also the default.
        memory: with a plan: at most, as ``"4G"``.
        overrides: words as on the command line, ``["trainer.epochs=3"]``.
        plugins: files and modules with parts of your own, ``["my.py", "mylab.losses"]``.
        config_dir: one more folder with config groups of your own.
        settings: groups and keys of the config (``dmf train --help`` lists them). A group is the name of an
            option, or a mapping of its keys, in which ``name`` is the option; a dotted name is one key:
            ``loss="cbdice+ce"``, ``trainer={"epochs": 3}``, ``**{"trainer.epochs": 3}``,
            ``weighting={"name": "var", "window": 50}``. ``backend`` is short for ``trainer.backend``.

            An object may stand for a name. ``loss``: a function ``(y_true, y_pred) -> scalar``, or a mapping
            of terms, ``{"mine": my_loss, "ce": "ce"}``. ``model``: a function ``(input_shape, classes)``, or
            a Keras model, of which a copy is trained. ``dataset``: images ``(N, H, W[, C])`` and class
            indices ``(N, H, W)``, or a ``tf.data.Dataset`` of such pairs. Such a run cannot be rebuilt from
            its folder alone: what continues it or scores it needs the object in the same process.

    Returns:
        The run, complete.

    Raises:
        UsageError: a setting is wrong, the budget is too small, or the images cannot be used; nothing was
            written.
        RunError: the training failed; the folder holds what was computed and the log.
        KeyboardInterrupt: after Ctrl-C (*interrupt the kernel*); the state is saved, ``resume()`` continues.

    Example:
        >>> run = dmf_cli.train(loss="cbdice+ce", dataset="phantom", seed=0, trainer={"epochs": 3})
        >>> run.dice, run.epochs["weight.cbdice"]
    """
    from dmf_cli.api import planning
    from dmf_cli.config import composer
    from dmf_cli.planning import units
    from dmf_cli.training import trainer

    limits = planning.limits(budget, memory)
    planned = units.is_asked([*([] if plan is None else [f"plan={plan}"]), *limits])
    asked = [*words.of(objects.named(settings), overrides), *objects.own_words(plugins, config_dir)]
    made = planning.made([*asked, *limits]) if planned else None
    asked = asked if made is None else made.overrides
    config = composer.compose(asked)
    objects.announce(config)
    with process.borrowed(["dmf", "train", *asked]):
        return Run(trainer.train(config) if made is None else _followed(made, config))


def _followed(made: "TrainingPlan", config: "Config") -> Path:
    """The run of ``config``, which ``made`` has planned."""
    from dmf_cli.planning.follow import follow
    from dmf_cli.terminal.run_display import Display
    from dmf_cli.training import trainer

    say = Display().note
    say(f"{made}\n")
    return follow(made, lambda note: trainer.train(config, plan=note), say)
