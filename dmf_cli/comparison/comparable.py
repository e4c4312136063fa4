"""Which runs can be compared: those that were scored on the same images in the same way."""

from collections.abc import Sequence

from dmf_cli import hints
from dmf_cli.comparison import own_metrics
from dmf_cli.comparison.loading import Run
from dmf_cli.comparison.own_metrics import OwnMetric
from dmf_cli.comparison.settings import text
from dmf_cli.errors import ConfigError


def same_images(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The largest set of runs that were scored on the same images in the same way; a line for each other.

    The folds of one split are one set.

    Raises:
        ConfigError: two such sets of one size.
    """
    parts: dict[tuple[str, OwnMetric], list[Run]] = {}
    metrics = own_metrics.completed([(run.images, run.own) for run in runs])
    for run, metric in zip(runs, metrics, strict=True):
        parts.setdefault((run.images, metric), []).append(run)
    sizes = sorted((len(part) for part in parts.values()), reverse=True)
    if len(sizes) > 1 and sizes[0] == sizes[1]:
        largest = [part for part in parts.values() if len(part) == sizes[0]][:3]
        if same := [part[0] for part in largest[1:] if part[0].images == largest[0][0].images]:
            raise _other_metric(largest[0][0], same[0])
        kinds = "; ".join(f"{part[0].described} ({part[0].path})" for part in largest)
        raise ConfigError(
            f"the runs were scored on different test images, or in different ways; there are {kinds}",
            hint=f"compare each separately, as with --only {_choice(largest)}",
        )
    kept = max(parts.values(), key=len)
    others = [run for part in parts.values() if part is not kept for run in part]
    return kept, [_reason(run, kept[0]) for run in others]


def described(runs: Sequence[Run]) -> str:
    """What was scored and how, of runs whose masks may have been made in different ways."""
    first, rules, ways = runs[0], {run.rule for run in runs}, "masks made in different ways"
    if len(rules) == 1:
        return first.described
    # A rule of nothing is nowhere in the text, and would be found before all of it.
    return first.described.replace(first.rule, ways, 1) if first.rule else f"{first.described}, {ways}"


def _reason(run: Run, kept: Run) -> str:
    """Why ``run`` cannot be compared with ``kept``, in one line."""
    if run.images == kept.images:
        return str(_other_metric(kept, run))
    where = f"than the other runs ({kept.described})"
    return f"{run.path}: scored on other test images or in another way ({run.described}) {where}"


def _other_metric(one: Run, other: Run) -> ConfigError:
    name, again = other.own.name, hints.command("eval", other.path, other.own.choice, "plugins=FILE")
    differences = one.own.differences(other.own)
    return ConfigError(
        f"{one.path} and {other.path} were scored with different metrics {name!r} ({differences})",
        key="--metric",
        hint=f"`{again}` scores the latter again",
    )


def _choice(parts: Sequence[Sequence[Run]]) -> str:
    """``KEY=VALUE`` that chooses the first of ``parts``: what it shares and none of the others has."""
    first, *rest = parts
    for prefix in ("dataset.", "split.", "metrics.", "eval."):
        for key, value in first[0].config.items():
            own = key.startswith(prefix) and all(run.config.get(key) == value for run in first)
            if own and not any(run.config.get(key) == value for part in rest for run in part):
                return f"{key.removesuffix('.name')}={text(value)}"
    return "dataset=NAME"
