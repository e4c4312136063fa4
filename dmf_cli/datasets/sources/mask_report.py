"""What is certainly or possibly wrong with the masks of a dataset.

Values first (see :mod:`dmf_cli.datasets.sources.value_report`), then the labels that come of them: masks that
may be inverted, classes that no mask has, lesions that vanish at the size of the network.
"""

import logging
from collections.abc import Mapping, Sequence

from dmf_cli.datasets.base import IGNORED, Dataset
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.sources import label_coding
from dmf_cli.datasets.sources.image_facts import LabelFacts, left
from dmf_cli.datasets.sources.survey import survey
from dmf_cli.errors import LabelError

HALF = 0.5  # share of all pixels, and of those at the border, from which masks look inverted
FIRST = 3  # images that a line names
log = logging.getLogger("dmf")
Labels = Mapping[str, LabelFacts]


def report(dataset: Dataset, spec: InputSpec) -> list[Finding]:
    """Everything about the masks of ``dataset``; what is certain first. Synthetic masks are exact."""
    if dataset.synthetic:
        return []
    found = survey(dataset, spec)
    first = dataset.mask_remarks()
    if any(remark.is_error for remark in first):
        return sorted(first, key=lambda remark: not remark.is_error)
    each = zip(dataset.ids, found.facts, strict=True)
    labels = {name: facts.label for name, facts in each if facts.label is not None}
    made = [_full(labels), _inverted(dataset, labels), *_absent(dataset, labels)]
    made += [_ignored(dataset, labels), _vanishing(labels, spec)]
    return first + [remark for remark in made if remark]


def check(dataset: Dataset, spec: InputSpec) -> list[str]:
    """Warn of everything in :func:`report`; the lines, for a log that begins later.

    Raises:
        LabelError: for what is certainly wrong.
    """
    lines = []
    for remark in report(dataset, spec):
        lines.append(f"{dataset.name}: {remark.text}")
        if remark.is_error:
            raise LabelError(lines[-1])
        log.warning("%s", lines[-1])
    return lines


def _full(labels: Labels) -> Finding | None:
    full = [name for name, label in labels.items() if label.area == 1]
    text = f"{len(full)} of {len(labels)} masks cover the whole image ({_first(full)}): look at them"
    return Finding("full", tuple(full), text) if full else None


def _inverted(dataset: Dataset, labels: Labels) -> Finding | None:
    """Lesions lie inside their images: what covers most of them and of their borders is background."""
    odd = [name for name, label in labels.items() if HALF < label.area < 1 and label.border > HALF]
    if len(dataset.classes) > 2 or not odd:
        return None
    area = 100 * sum(labels[name].area for name in odd) / len(odd)
    name = dataset.classes[1]
    text = (
        f"{name} covers {area:.0f} % of {len(odd)} of {len(labels)} masks, borders too ({_first(odd)}): if "
        "these are inverted, set 'dataset.values={0:1,255:0}' or invert them"
    )
    return Finding("inverted", tuple(odd), text)


def _absent(dataset: Dataset, labels: Labels) -> list[Finding]:
    """Classes that no mask has; that there is no lesion at all is reported elsewhere."""
    present = set[int]().union(*(label.classes for label in labels.values()))
    absent = [name for c, name in enumerate(dataset.classes) if c and c not in present]
    if not present:
        return []
    text = "no mask holds the class {!r}: check dataset.classes and dataset.values"
    return [Finding("absent class", (name,), text.format(name)) for name in absent]


def _ignored(dataset: Dataset, labels: Labels) -> Finding | None:
    """A wrong value ignores nothing, and what was to be ignored is learned as some class."""
    if not dataset.ignores or dataset.ignore is None or not labels:
        return None
    if any(IGNORED in dict(label.counts) for label in labels.values()):
        return None
    text = (
        f"no mask holds dataset.ignore={label_coding.shown(dataset.ignore)}, so that every pixel counts: "
        "give the value of the pixels to leave out, or null"
    )
    return Finding("nothing ignored", (dataset.name,), text)


def _vanishing(labels: Labels, spec: InputSpec) -> Finding | None:
    gone = [name for name, label in labels.items() if set(label.classes) - left(label, spec)]
    if not gone:
        return None
    ill, size = sum(bool(label.classes) for label in labels.values()), f"{spec.size[0]}x{spec.size[1]}"
    text = (
        f"lesions of {len(gone)} of {ill} images vanish at {size} ({_first(gone)}): use a larger "
        "dataset.image_size"
    )
    return Finding("vanishing", tuple(gone), text)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:FIRST]) + (", ..." if len(names) > FIRST else "")
