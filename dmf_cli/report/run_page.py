"""What the page of one run says, as plain data for the template."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli import hints, machine
from dmf_cli.figures import bokeh_renderer, palette, run_figures, step_figures
from dmf_cli.figures.bokeh_renderer import Chart
from dmf_cli.inference import confusion, tables
from dmf_cli.report import chosen
from dmf_cli.report.differences import differences
from dmf_cli.report.pictures import pictures
from dmf_cli.report.reading import RunFacts, when
from dmf_cli.report.table import Cell, Table, cell, parsed, sortable
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.csv_log import Columns
from dmf_cli.run_folder.identity import as_asked
from dmf_cli.terminal.formats import duration

MOST_ROWS = 1000  # images in a table; the CSV has them all
PER_IMAGE = {
    "stratum": "stratum",
    "outcome": "outcome",
    "lesion_pixels": "truth px",
    "predicted_pixels": "predicted px",
}
METRICS = (
    "dice",
    "iou",
    "precision",
    "recall",
    "hd95",
    "assd",
    "nsd",
    "ece",
)  # of an image; others are in the CSV
ADVICE = {
    "failed": "The run failed. `{resume}` continues from its last checkpoint.",
    "interrupted": "The run was interrupted. `{resume}` continues from its last checkpoint.",
    "running": "The run had not ended when this page was written.",
    "unknown": "The state of this run is not known: its status.json cannot be read.",
}


def context(facts: RunFacts) -> dict[str, Any]:
    """Everything that the template of a run needs."""
    changed = differences(as_asked(facts.config, facts.status)) if facts.config else None
    return {
        "title": facts.name,
        "subtitle": _subtitle(facts.config),
        "state": facts.state,
        "when": when(facts.status.get("started")),
        "advice": ADVICE.get(facts.state, "").format(resume=hints.command("resume", facts.path)),
        "message": str(facts.status.get("message") or ""),
        "log": facts.log,
        "problems": facts.notes,
        "warnings": _warnings(facts),
        "tiles": _tiles(facts),
        "changed": None if changed is None else _changed(changed),
        "terms": _terms(facts),
        "data": _data(facts),
        "scores": [_score(name, figures) for name, figures in facts.summaries.items()],
        "groups": {name: charts for name, charts in groups(facts).items() if charts},
        "cases": {
            n: pictures(kept, facts.per_image.get(n, []), len(_classes(facts, n)))
            for n, kept in facts.cases.items()
        },
        "legend": next((legend for n in facts.cases if (legend := palette.legend(_classes(facts, n)))), []),
        "images": [
            _images(name, rows, facts.summaries.get(name, {})) for name, rows in facts.per_image.items()
        ],
        "epochs": _epochs(facts.epochs),
        "environment": _environment(facts.environment),
        "command": str(facts.environment.get("command") or ""),
        "config": _yaml(facts.config),
    }


def groups(facts: RunFacts) -> dict[str, list[Chart]]:
    """The charts by their heading; none before the first epoch."""
    steps, terms, best = facts.steps, facts.terms, facts.status.get("best") or {}
    figures = {
        "Over epochs": run_figures.of_epochs(facts.epochs, best, terms),
        "Over steps": step_figures.of_steps(steps, terms),
        "Gradients of the terms": step_figures.of_gradients(facts.insight, steps, terms),
    }
    return {heading: bokeh_renderer.charts(drawn) for heading, drawn in figures.items()}


def _classes(facts: RunFacts, name: str) -> list[str]:
    """The classes of an evaluation, background first; where its summary is lost those of another."""
    for one in (name, *facts.summaries):
        if one in facts.summaries:
            return list(facts.summaries[one]["classes"])
    return []


def _subtitle(config: Mapping[str, Any]) -> str:
    parts = [
        _leaf(config, "dataset", "name"),
        _leaf(config, "model", "name"),
        _leaf(config, "loss", "expression"),
    ]
    parts += [_leaf(config, "weighting", "name"), f"seed {config['seed']}" if "seed" in config else ""]
    return " · ".join(part for part in parts if part)


def _leaf(config: Mapping[str, Any], group: str, key: str) -> str:
    values = config.get(group)
    return str(values.get(key, "")) if isinstance(values, Mapping) else ""


def _warnings(facts: RunFacts) -> list[str]:
    lines = [f"{n}: {line}" for n, figures in facts.summaries.items() for line in tables.warnings(figures)]
    skipped = facts.status.get("skipped_steps")
    for name in facts.status.get("never_predicted") or ():
        epoch = (facts.status.get("best") or {}).get("epoch")
        lines.append(f"validation: {name} is never predicted in epoch {epoch}, which is kept")
    if isinstance(skipped, int) and skipped:
        lines.append(f"{skipped} training steps had a loss that was NaN or infinite, and made no update")
    if undone := facts.status.get("rollback"):
        reason, epoch, factor = (undone.get(key) for key in ("reason", "epoch", "factor"))
        lines.append(f"{reason}: rolled back to epoch {epoch}, and on with {factor} times the learning rate")
    return lines


def _tiles(facts: RunFacts) -> list[tuple[str, str, str]]:
    """(name, figure, what it is of), the answer first."""
    tiles = []
    for name, figures in list(facts.summaries.items())[:1]:
        counts, scope = figures["counts"], headline.scope(figures)
        several = len(figures["classes"]) - 1 if scope == headline.MEAN else 0
        for metric in ("dice", "iou"):
            one = figures[scope].get(metric, {})
            spread = cell(one.get("std", math.nan)).text
            label = f"{tables.LABELS[metric]}, {name}" + (f", mean over {several} classes" if several else "")
            tiles.append(
                (label, cell(one.get("mean", math.nan)).text, f"± {spread} over {one.get('n')} images")
            )
        missed = counts.get("missed", 0) + counts.get("no_overlap", 0)
        tiles.append(("Lesions not found", str(missed), f"of {counts.get('with_truth')} images with one"))
        if confused := confusion.confused(figures):
            tiles.append(("Lesions of another class", str(confused[0]), f"of {confused[1]} lesions"))
        tiles.append(("False alarms", str(counts.get("false_alarm")), _without(counts)))
    best = facts.status.get("best")
    if isinstance(best, dict) and best.get("epoch"):
        monitor, value = headline.kept(best)
        of = f"of {len(facts.epochs.get('epoch', []))}: {run_figures.metric(monitor)} {cell(value).text}"
        tiles.append(("Epoch kept", str(best["epoch"]), of))
    if facts.seconds is not None:
        device = facts.environment.get("runtime")
        on = (
            f"on {device.get('device')}" if isinstance(device, dict) and device.get("device") else "in epochs"
        )
        tiles.append(("Training", duration(facts.seconds), ", ".join([on, *_planned(facts.status)])))
    return tiles


def _planned(status: Mapping[str, Any]) -> list[str]:
    """What `dmf plan` had expected of a run that follows a plan."""
    seconds = status.get("plan", {}).get("training")
    return [f"{duration(seconds)} planned"] if isinstance(seconds, int | float) else []


def _without(counts: Mapping[str, int]) -> str:
    return f"in {counts.get('images', 0) - counts.get('with_truth', 0)} images without a lesion"


def _changed(changed: Sequence[Any]) -> Table:
    rows = [
        [Cell(d.key, d.key, style="code"), Cell(d.value, d.value, style="code"), cell(d.default)]
        for d in changed
    ]
    return Table(
        "changed", "Settings that are not the defaults", ("setting", "here", "default"), rows, _all(3)
    )


def _terms(facts: RunFacts) -> Table | None:
    """Each term with its coefficient, what became of its loss and its weight, and its parameters."""
    loss = _mapping(facts.config.get("loss"))
    terms, coefficients = _mapping(loss.get("terms")), _mapping(loss.get("coefficients"))
    rows = []
    for term in facts.terms:
        params = _mapping(terms.get(term))
        said = ", ".join(f"{key} {_flat(value)}" for key, value in params.items() if value is not None)
        series = [facts.epochs.get(f"{kind}.{term}", []) for kind in ("loss", "val_loss", "weight")]
        head = [Cell(term, term, style="code"), cell(coefficients.get(term))]
        rows.append([*head, *map(_way, series), cell(said)])
    columns = ("term", "coefficient", "loss", "validation loss", "weight", "parameters")
    caption = "Loss terms: mean of the first and of the last epoch"
    return Table("terms", caption, columns, rows, frozenset({0, 5})) if rows else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """``value``, or nothing where a config was changed to something else."""
    return value if isinstance(value, Mapping) else {}


def _way(series: Sequence[float]) -> Cell:
    """From where to where; sorted by the end."""
    if not series:
        return cell(None)
    first, last = cell(series[0]), cell(series[-1])
    return Cell(f"{first.text} → {last.text}", last.sort)


def _data(facts: RunFacts) -> list[tuple[str, str]]:
    """Dataset, split, auxiliary loss and weighting in words."""
    split = facts.split
    sizes = [
        f"{len(split[part])} {part}" for part in ("train", "val", "test") if isinstance(split.get(part), list)
    ]
    pairs = [("Dataset", str(split.get("dataset", ""))), ("Content", str(split.get("fingerprint", "")))]
    pairs += [("Images", ", ".join(sizes)), ("Strata", _counted(split.get("strata"), 2))]
    pairs += [("Groups", _groups(split)), ("Excluded", _counted(split.get("left_out")))]
    pairs += [("Unusable, excluded", _unusable(split.get("unusable")))]
    pairs += [("Model", _params(facts.config.get("model")))]
    pairs += [("Weighting", _params(facts.config.get("weighting")))]
    auxiliary = facts.config.get("auxiliary")
    if isinstance(auxiliary, Mapping) and auxiliary.get("name") not in (None, "none"):
        pairs.append(("Auxiliary loss", _params(auxiliary)))
    pairs.append(("Prediction", chosen.described(facts.chosen, facts.config)))
    return [(name, value) for name, value in pairs if value]


def _counted(counts: Any, least: int = 1) -> str:
    """Images of each stratum, if there are at least so many strata."""
    named = counts if isinstance(counts, Mapping) and len(counts) >= least else {}
    return ", ".join(f"{name} {number}" for name, number in named.items())


def _unusable(reasons: Any) -> str:
    """How many images, and the first of them; split.json has all, with what is wrong."""
    from dmf_cli.datasets.sources.grouping import unusable

    return unusable(reasons) if isinstance(reasons, Mapping) and reasons else ""


def _groups(split: Mapping[str, Any]) -> str:
    """What is kept on one side, in words."""
    words, groups = str(split.get("grouping") or ""), split.get("groups")
    several = len(groups) if isinstance(groups, Mapping) else 0
    return words or (f"{several} groups of several images" if several else "")


def _params(group: Any) -> str:
    if not isinstance(group, Mapping):
        return ""
    rest = [f"{k} {v}" for k, v in group.items() if k != "name" and not isinstance(v, dict | list)]
    return f"{group.get('name', '')}: {', '.join(rest)}" if rest else str(group.get("name", ""))


def _score(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """The tables of one evaluation with what stands under them."""
    made = []
    for i, (heading, rows) in enumerate(tables.sections(figures).items()):
        filled = [j for j in range(len(tables.COLUMNS)) if any(row[j] for row in rows)]
        cells = [[sortable(row[j]) for j in filled] for row in rows]
        columns = [tables.COLUMNS[j] for j in filled]
        made.append(Table(f"score-{name}-{i}", heading.capitalize(), columns, cells))
    background = f"class {next(iter(figures['classes']))}".capitalize()
    return {
        "name": name,
        "title": tables.title(figures),
        "tables": [*(one for one in made if one.caption != background), *_confusion(name, figures)],
        "folded": [one for one in made if one.caption == background],
        "notes": tables.notes(figures),
    }


def _confusion(name: str, figures: dict[str, Any]) -> list[Table]:
    """Which class is taken for which, per lesion and per pixel."""
    return [
        Table(f"confusion-{name}-{i}", heading, columns, [[sortable(text) for text in row] for row in rows])
        for i, (heading, (columns, rows)) in enumerate(confusion.sections(figures).items())
    ]


def _images(name: str, rows: Sequence[Mapping[str, str]], summary: dict[str, Any]) -> dict[str, Any]:
    """One row an image, the worst first; with several classes their means, and the Dice of their union."""
    scope = headline.scope(rows[0])
    labels_of = {m: tables.LABELS[m] for m in METRICS} | tables.own_labels(summary)
    columns = {
        **PER_IMAGE,
        **{f"{scope}.{m}": label for m, label in labels_of.items() if f"{scope}.{m}" in rows[0]},
    }
    if scope == headline.MEAN:
        columns["foreground.dice"] = "Dice of the union"
    columns = {key: label for key, label in columns.items() if key in rows[0]}
    dice = headline.metric(rows[0])
    order = sorted(rows, key=lambda row: (math.isnan(parsed(row[dice])), parsed(row[dice])))
    cells = [
        [Cell(row["id"], row["id"]), *(_value(key, row[key]) for key in columns)] for row in order[:MOST_ROWS]
    ]
    few = f"; the worst {MOST_ROWS:,} of {len(rows):,}" if len(rows) > MOST_ROWS else ""
    labels = ["image", *columns.values()]
    text = frozenset(i for i, key in enumerate(("id", *columns)) if key in ("id", "stratum", "outcome"))
    by = (labels.index(tables.LABELS["dice"]), "ascending")
    caption = f"Each image of {name}, worst Dice first{few}"
    return {"name": name, "table": Table(f"images-{name}", caption, labels, cells, text, by, tall=True)}


def _value(key: str, text: str) -> Cell:
    if key in ("stratum", "outcome"):
        return cell(text.replace("_", " "))
    value = parsed(text)
    return cell(int(value) if key.endswith("_pixels") and not math.isnan(value) else value)


def _epochs(epochs: Columns) -> Table | None:
    """The numbers behind the curves."""
    if not epochs:
        return None
    whole = ("epoch", "step")
    rows = [
        [cell(int(v) if name in whole and v == v else v, 4) for name, v in zip(epochs, row, strict=True)]
        for row in zip(*epochs.values(), strict=True)
    ]
    labels = [name.replace("_", " ") for name in epochs]
    return Table(
        "epochs", "The numbers behind the curves", labels, rows, frozenset(), (0, "ascending"), tall=True
    )


def _environment(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Machine and versions as lines."""
    pairs = []
    for key, value in facts.items():
        if key == "command" or value in (None, "", [], {}):
            continue
        if key == "memory" and isinstance(value, int):
            value = machine.amount(value)
        if isinstance(value, Mapping):
            value = ", ".join(f"{k} {_flat(v)}" for k, v in value.items())
        pairs.append((key, _flat(value)))
    return pairs


def _flat(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _yaml(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    from dmf_cli import config as configs

    return configs.to_yaml(configs.Config(config))


def _all(count: int) -> frozenset[int]:
    return frozenset(range(count))
