"""Whether a config reads the values of all masks as what they are; remarks for who uses them.

A mask of two classes should hold two values. Others are soft edges (JPEG, antialiasing), which have a
threshold at half their maximum, or something that two classes cannot say: three grey values, class
indices, several colours, void pixels.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.sources import label_coding
from dmf_cli.datasets.sources.mask_planes import INDICES
from dmf_cli.datasets.sources.mask_values import TOP, MaskFacts, threshold

NAMED = 6  # values in a message


def remarks(found: Sequence[MaskFacts], classes: Sequence[str], given: float | None) -> list[Finding]:
    """What is wrong or doubtful about the masks of two classes.

    Args:
        found: of all masks.
        classes: names.
        given: ``dataset.threshold`` where the config says one, else None: then what two classes cannot say
            is an error.
    """
    first = [_labels(found, classes, given), _never_zero(found, given)]
    several = first if any(first) else [_unlike(found, given)]
    made = [remark for remark in (*several, _soft(found, given)) if remark]
    return [remark for remark in made if remark.is_error] or made


def _labels(found: Sequence[MaskFacts], classes: Sequence[str], given: float | None) -> Finding | None:
    maps = [fact for fact in found if fact.kind == "labels"]
    if not maps:
        return None
    seen = _in_order({value for fact in maps for value in fact.values})
    read = f"all above {given:g} are {classes[1]}" if given is not None else "dataset.classes has two"
    text = (
        f"{len(maps)} of {len(found)} masks hold several values, as {maps[0].name}: {_list(seen)}; {read}: "
        f"{_what_to_do(seen)}"
    )
    kind = "mask values" if given is None else "doubtful values"
    return Finding(kind, _names(maps), text)


def _what_to_do(seen: Sequence[str], usual: str = "") -> str:
    """``usual``: what most masks call foreground, which is not to be ignored."""
    void = str(label_coding.VOID)
    rest = [value for value in seen if value != void]
    others = [value for value in seen if value not in ("0", "0x000000")]
    if usual != void and void in seen and all(value.isdecimal() and int(value) < INDICES for value in rest):
        return (
            f"leave the pixels of no class out by dataset.ignore={void}, or give each value in dataset.values"
        )
    zero = "0x000000:0," if seen[-1].startswith("0x") else "0:0,"
    pairs = ",".join(f"{value}:{label}" for label, value in enumerate(others[:NAMED], 1))
    one = ",".join(f"{value}:1" for value in others[:NAMED])
    return (
        f"for several classes set dataset.classes and 'dataset.values={{{zero}{pairs}}}', for one "
        f"'dataset.values={{{zero}{one}}}'"
    )


def _never_zero(found: Sequence[MaskFacts], given: float | None) -> Finding | None:
    """Classes that are counted from 1: everything would be lesion."""
    values = {value for fact in found for value in fact.values}
    lows = [fact.low for fact in found]
    if given or not lows or min(lows) <= 0 or len(values) < 2 or any(f.kind == "labels" for f in found):
        return None
    seen = _in_order(values)
    table = f"'dataset.values={{{seen[0]}:0,{seen[-1]}:1}}'"
    text = f"no mask holds the value 0, they hold {_list(seen)}: set {table}"
    return Finding("mask values", _names(found), text)


def _soft(found: Sequence[MaskFacts], given: float | None) -> Finding | None:
    soft = [fact for fact in found if fact.kind == "soft"]
    if not soft or given:
        return None
    wide, half = (sum(fact.areas[k] for fact in soft) for k in (0, 1))
    level = threshold(found) if given is None else given
    grown = f"{100 * (wide / half - 1):.0f} % larger" if half else "everywhere"
    text = f"{len(soft)} of {len(found)} masks have soft edges (JPEG or antialiased), as {soft[0].name}: "
    if given is None:
        text += f"foreground is above {level:g}, half of the maximum; above 0 it would be {grown}"
    else:
        text += f"above dataset.threshold=0 foreground is {grown} than above half of the maximum: "
        text += "set dataset.threshold=auto"
    return Finding("soft masks", _names(soft), text)


def _unlike(found: Sequence[MaskFacts], given: float | None) -> Finding | None:
    """Two values in each mask, but others in other masks: 1 here, 2 there; red here, green there."""
    ends = {fact: max(fact.values, key=_order) for fact in found if fact.top > 0 and fact.values}
    # Half of the maximum would take from the darker colour.
    soft = {end for fact, end in ends.items() if fact.kind == "soft" and end.startswith("0x")}
    count = Counter(end for fact, end in ends.items() if fact.kind == "hard" or end in soft)
    if len(_merged(count)) < 2:
        return None
    said = ", ".join(f"{value} in {number}" for value, number in count.most_common(NAMED))
    (usual, _), *_, (rare, _) = count.most_common()
    said += f", as {next(fact.name for fact, end in ends.items() if end == rare)}"
    text = f"masks say foreground by different values ({said}), which dataset.classes reads as one class: "
    text += _what_to_do(_in_order({value for fact in ends for value in fact.values}), usual)
    certain = len(soft) > 1 and given is None
    return Finding("mask values" if certain else "doubtful values", _names(ends), text)


def _merged(values: Iterable[str]) -> set[str]:
    """Without those that are nearly the largest one."""
    plain = set(values)
    numbers = [float(value) for value in plain if not value.startswith("0x")]
    top = max(numbers, default=0.0)
    near = {v for v in plain if not v.startswith("0x") and top >= TOP and float(v) >= top - top // 16}
    return plain - near | ({str(top)} if near else set())


def _names(found: Iterable[MaskFacts]) -> tuple[str, ...]:
    return tuple(fact.name for fact in found)


def _order(value: str) -> float:
    return int(value, 16) if value.startswith("0x") else float(value)


def _in_order(values: Iterable[str]) -> list[str]:
    return sorted(values, key=_order)


def _list(values: Sequence[str]) -> str:
    return " ".join(values[:NAMED]) + (f" and {len(values) - NAMED} more" if len(values) > NAMED else "")
