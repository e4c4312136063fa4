"""The weights of other strategies on recorded losses: ``dmf_cli.replay``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli.api import frames, objects, process, words
from dmf_cli.api.frames import Frame
from dmf_cli.api.run import Run
from dmf_cli.errors import ConfigError


def replay(
    source: Run | str | Path,
    weighting: str | Sequence[str],
    *,
    overrides: Sequence[str] = (),
    plugins: str | Path | Sequence[str | Path] = (),
    config_dir: str | Path | None = None,
    **params: Any,
) -> dict[str, Frame]:
    """The weights that strategies would have given on recorded losses, without training, as ``dmf replay``.

    Args:
        source: a run, its folder, or a CSV file with one column a loss.
        weighting: names of strategies, as ``dmf list weightings`` has them; one or a list.
        overrides: words as on the command line.
        plugins: files and modules with strategies of your own.
        config_dir: one more folder with config groups of your own.
        params: of the strategies, such as ``window=50``; each goes to those that have it.

    Returns:
        Strategy -> its weights, with a column ``step`` and one for each term; of a run also ``as trained``.

    Raises:
        ConfigError: an unknown strategy, or a parameter that none of them has.
        UsageError: no losses are recorded, or a strategy needs what was not.

    Example:
        >>> weights = dmf_cli.replay("outputs/busi", ["mad", "var"], window=50)
        >>> weights["mad"]["dice"].mean()
    """
    from dmf_cli.replaying import history, strategies

    recorded = history.read(source.path if isinstance(source, Run) else Path(source))
    names = [weighting] if isinstance(weighting, str) else list(weighting)
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(key="weighting", value=weighting, allowed="names, as ['mad', 'var']")
    asked = [f"weighting={','.join(names)}", *words.of({f"weighting.{k}": v for k, v in params.items()})]
    chosen = strategies.weighting_configs([*asked, *overrides], objects.own_words(plugins, config_dir))
    with process.borrowed():
        weights = strategies.replay(recorded, chosen)
    return {
        label: frames.frame({"step": recorded.steps, **dict(zip(recorded.terms, table.T, strict=True))})
        for label, table in weights.items()
    }
