"""What a sweep ends with if `sweep.compare` asks for it: comparisons of its runs, and a report.

An experiment thereby holds the whole study: which runs, and what is compared with what.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dmf_cli import report
from dmf_cli.comparison import compare, loading, plots, settings, tables
from dmf_cli.comparison.compare import Comparison
from dmf_cli.config import messages
from dmf_cli.config.schema import Sweep
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError
from dmf_cli.files import disk_errors, remove, write_atomic
from dmf_cli.sweeps.jobs import distinct_settings
from dmf_cli.terminal.text import markdown_row, markdown_text

T = TypeVar("T")
NO_COMPARISON = "sweep.compare=false for no comparison"
FOLDER, OVERVIEW, PAGE = "comparison", "overview.md", "report.html"


@dataclasses.dataclass(frozen=True)
class Question:
    """One comparison.

    Args:
        by: what makes a setting, None for all that differs.
        baseline: ``KEY=VALUE``, None for the default of ``dmf compare``.
    """

    by: tuple[str, ...] | None = None
    baseline: str | None = None

    @property
    def name(self) -> str:
        """For a folder."""
        return ",".join(self.by or ("all",))


def questions(asked: bool | str | Sequence[str]) -> list[Question]:
    """What ``sweep.compare`` asks: ``weighting=fixed`` compares by weighting, with fixed as the baseline.

    A text is one question, or a list that had to be quoted: Hydra reads no ``=`` in a list of words.

    Example:
        >>> questions(["weighting.window,weighting.warmup=50"])
        [Question(by=('weighting.window', 'weighting.warmup'), baseline='weighting.warmup=50')]
    """
    if isinstance(asked, bool):
        return [Question()] if asked else []
    if isinstance(asked, str):
        listed = re.fullmatch(r"\s*\[(.*)\]\s*", asked)
        asked = listed[1].split(",") if listed else [asked]
    made = []
    for text in asked:
        parts = [part.strip() for part in text.split(",")]
        given = [part for part in parts if "=" in part]
        made.append(Question(tuple(part.partition("=")[0] for part in parts), ",".join(given) or None))
    return made


def check(asked: Sweep, configs: Sequence[Config]) -> None:
    """What would go wrong at the end, reported before the first run.

    Raises:
        ConfigError: a key of ``sweep.compare`` or ``sweep.apart`` that the ``configs`` do not have, one that
            is the same in all of them, a baseline that none of them is, or repetitions of one setting only.
    """
    if asked.apart:
        _values(configs, asked.apart, "apart")
    for question in questions(asked.compare):
        varying = {key: list(dict.fromkeys(_values(configs, key, "compare"))) for key in question.by or ()}
        if varying and all(len(found) == 1 for found in varying.values()):
            same = ", ".join(f"{key}={found[0]}" for key, found in varying.items())
            raise ConfigError(
                f"sweep.compare: all jobs have {same}",
                key="sweep.compare",
                hint=f"give two settings, or {NO_COMPARISON}",
            )
        for pair in question.baseline.split(",") if question.baseline else ():
            key, _, value = pair.partition("=")
            if value not in varying[key]:
                known = f"{key}={','.join(varying[key])}"
                raise ConfigError(
                    f"sweep.compare: no job has {pair}",
                    key="sweep.compare",
                    hint=f"they have {known}; or set {NO_COMPARISON}",
                )
        for part in _parts(configs, configs, asked.apart).values():
            if distinct_settings(part, question.by) < 2:
                what = f"by {', '.join(question.by)}" if question.by else "but seeds and folds"
                raise ConfigError(
                    f"sweep.compare: nothing to compare {what}, for seeds and folds repeat a setting",
                    key="sweep.compare",
                    hint=f"give two settings, or {NO_COMPARISON}",
                )


def conclude(
    folder: Path,
    runs: Sequence[tuple[Path, Config]],
    asked: Sweep,
    *,
    page: bool = True,
) -> list[tuple[Path, Comparison]]:
    """Compare the ``runs`` (folder and config of each), and write tables, plots and reports below ``folder``.

    Args:
        folder: the output folder of the sweep.
        runs: those that are completed.
        asked: the ``sweep`` group.
        page: whether each comparison gets a ``report.html``.

    Returns:
        Each comparison, with the folder that it was written to.

    Raises:
        DmfError: the runs cannot be compared, or the folder cannot be written to.
    """
    each = questions(asked.compare)
    parts = _parts([path for path, _ in runs], [config for _, config in runs], asked.apart)
    found: list[tuple[Path, Comparison]] = []
    for part, paths in parts.items():
        for question in each:
            wanted: dict[str, Any] = {"by": question.by, "baseline": question.baseline}
            one = compare.compare(paths, **wanted)
            place = folder / FOLDER / part / (question.name if len(each) > 1 else "")
            with disk_errors(place):
                place.mkdir(parents=True, exist_ok=True)
            tables.write(place, one)
            plots.write(place, one)
            if page:
                report.write(paths, place / PAGE, **wanted)
            found.append((place, one))
    means = folder / FOLDER / OVERVIEW
    if len(parts) > 1 and len(each) == 1:
        write_atomic(means, overview(list(parts), [one for _, one in found]))
    else:
        remove(means)  # of a sweep with more parts, whose figures may have changed
    return found


def overview(parts: Sequence[str], found: Sequence[Comparison]) -> str:
    """Means in Markdown: one row a setting, one column a part; an asterisk: it differs from the baseline."""
    names = sorted({row.group.name for one in found for row in one.rows})
    columns = [{row.group.name: row for row in one.rows} for one in found]

    def cell(column: Mapping[str, Any], name: str) -> str:
        row = column.get(name)
        mark = " *" if row and row.versus and row.versus.significant else ""
        return f"{row.mean.mean:.3f}{mark}" if row else ""

    lines = [markdown_row([found[0].metric, *parts]), "|:--" + "|--:" * len(parts) + "|"]
    lines += [markdown_row([name, *(cell(column, name) for column in columns)]) for name in names]
    note = f"\\*: differs from {markdown_text(found[0].baseline)} by more than chance could make."
    return "\n".join([*lines, "", note, ""])


def _parts(items: Sequence[T], configs: Sequence[Config], key: str | None) -> dict[str, list[T]]:
    """The items by the value of ``key`` in their configs, each part named for a folder; else all in one."""
    parts: dict[str, list[T]] = {}
    values = _values(configs, key, "apart") if key else [""] * len(configs)
    for item, value in zip(items, values, strict=True):
        name = re.sub(r"[^A-Za-z0-9._=+-]+", "-", f"{key}={value}") if key else ""
        parts.setdefault(name, []).append(item)
    return parts


def _values(configs: Sequence[Config], key: str, where: str) -> list[str]:
    """The value of ``key`` in each config, as comparisons write it; of a group its name."""
    found = []
    for config in configs:
        leaves = loading.flat(config.plain)
        name = key if key in leaves else settings.NAMES.get(key, f"{key}.name")
        if name not in leaves:
            raise messages.no_such_key(key, config.plain).within(f"sweep.{where}")
        value = leaves[name]
        found.append(value if isinstance(value, str) else json.dumps(value))
    return found
