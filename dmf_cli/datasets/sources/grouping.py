"""What the folders and names of images say: classes to stratify by, or patients and films to keep together.

A folder for each patient, taken for a class, would put each patient into training, validation and test.
Names and counts decide where they are clear; where they are not, an error asks for ``dataset.folders``.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.sources.accents import plain
from dmf_cli.datasets.sources.pairing import Pair
from dmf_cli.errors import ConfigError, UnknownNameError

MODES = ("auto", "strata", "patients", "none")
Meaning = Literal["one", "strata", "patients", "images", "unclear"]

FEW, MANY = 4, 12  # folders: so many words are classes, more than so many are not
LARGE = 20  # images a folder, on average: folders of fewer are small
# What stands before the number in names of folders: r"p00" is a patient, r"grade2" a class.
_PATIENT = re.compile(
    r"(p|pt|pat|patient|case|subj?|subject|s|id|person|participant|study|exam|visit|series|scan|video|vid|film|"
    r"clip|cine|seq|sequence|movie|volume|vol|animal|mouse)"
)
_CLASS = re.compile(
    r"(class|cls|grade|bi-?rads|type|stage|label|cat|category|score|level|fold|batch|site|cent(er|re)|"
    r"hospital|scanner|device|set|part|group)"
)
_FRAME = re.compile(r"(?i)(.*?[^\W_].*?)(?:[-_. ]+|(?<=\d))(?:frame|frm|slice|slc)[-_. ]*\d+")
# Frames that a number alone tells from each other: what they are of has a number and a name of its own.
_SHOT = re.compile(r"(?i)((?:vid|video|clip|film|movie|cine|seq|sequence|vol|volume)[-_. ]*\d+)[-_. ]+\d+")
_OWNER = re.compile(r"(?i)((?:patient|pat|pt|subject|subj|sub-)[-_. ]*\d+)(?:[-_. ].*)?")
OWNERS = 3  # names of fewer patients are not taken for such: no split could separate them
_COPY = re.compile(
    r"(?i)(.+?)(?:[-_. ]+(?:aug(?:mented|ment)?|[hv]?flip(?:ped)?(?:_?(?:lr|ud|[hvxy]))?|mirror(?:ed)?|"
    r"rot(?:ate[d]?|ation)?[-_]?\d*|copy)[-_]?\d*(?: ?\(\d+\))?|"
    r"(?:_(?:jpe?g|png|bmp|tiff?))?\.rf\.[0-9a-f]{32})"
)
_NUMBERED = re.compile(r"(.+?) ?\(\d+\)")  # a second download or copy, if the one without a number is there
_PREFIX = re.compile(r"(?i)(?:aug(?:mented)?|[hv]?flip(?:ped)?|mirror(?:ed)?|rot(?:ated?)?\d*)[-_. ]+(.+)")


class Grouping(NamedTuple):
    """One stratum an image; one group an image, or None; and what the groups are, in words."""

    strata: tuple[str, ...]
    groups: tuple[str, ...] | None
    words: str


def group(pairs: Sequence[Pair], name: str, folders: str = "auto") -> Grouping:
    """Strata and groups of ``pairs``.

    A patient that ``parse`` or ``table`` names comes before a folder, a folder before the name of a file.

    Args:
        pairs: at least one; their strata are classes, or the folders of the images.
        name: of the dataset: the stratum where there are no classes.
        folders: ``strata``, ``patients`` or ``none`` (they mean nothing); ``auto`` decides.

    Raises:
        UnknownNameError: another word for ``folders``.
        ConfigError: it is ``auto`` and the folders could be classes or patients.
    """
    if folders not in MODES:
        raise UnknownNameError("dataset.folders", str(folders), MODES)
    places = [PurePosixPath(pair.id).parent.parts for pair in pairs]
    named = any(pair.patient for pair in pairs)
    classed = any(not _is_folder(pair, name) for pair in pairs)
    strata, owners = _read(places, folders, ask=not named)
    if folders == "strata" or classed or strata is None:
        classes = [pair.stratum for pair in pairs]
    else:
        classes = [stratum or name for stratum in strata]
    return Grouping(tuple(classes), *_united(pairs, owners, _by_name(pairs)))


def describe(dataset: Dataset) -> dict[str, str]:
    """``strata``, ``groups``, ``excluded`` and ``unusable`` in words, as far as ``dataset`` has them."""
    counts = Counter(dataset.strata)
    found = {}
    if len(counts) > 1:
        found["strata"] = _listed(counts)
    if dataset.groups:
        kept = Counter(dataset.groups)
        largest = max(kept.values())
        words = dataset.grouping or f"{len(kept)} groups"
        found["groups"] = (
            f"{words}, at most {largest} image{'s' if largest > 1 else ''} each, on one side of a split"
        )
    if dataset.left_out:
        found["excluded"] = f"{_listed(dataset.left_out)} (dataset.strata)"
    if dataset.unusable:
        found["unusable"] = f"{unusable(dataset.unusable)}, excluded"
    return found


def unusable(reasons: Mapping[str, str], most: int = 3) -> str:
    """``2 images (benign/1, benign/3)``; of very many the first."""
    more = ", ..." if len(reasons) > most else ""
    named = ", ".join([*reasons][:most]) + more
    return f"{len(reasons)} image{'s' if len(reasons) > 1 else ''} ({named})"


def _listed(counts: Mapping[str, int], most: int = 6) -> str:
    """``benign 437, malignant 210``; many are counted."""
    first = [f"{name} {number}" for name, number in sorted(counts.items())[:most]]
    more = f" and {len(counts) - most} more" if len(counts) > most else ""
    return ", ".join(first) + more


def meaning(names: Sequence[str], paths: Sequence[str]) -> Meaning:
    """What folders of one level are.

    Args:
        names: one an image: its folder of that level.
        paths: one an image: the same with the folders above it.
    """
    different, number = sorted(set(names)), len(names)
    if len(different) == 1:
        return "one"
    if len(set(paths)) == number:
        return "images"  # a folder for each image
    small = number < LARGE * len(different)
    if all(re.search(r"\d", one) for one in different):
        return _numbered(different, small)
    if len(different) <= FEW and not any(re.search(r"\d", one) for one in different):
        return "strata"
    if len(different) > MANY:
        return "patients" if small else "unclear"
    return "unclear" if small or any(re.search(r"\d", one) for one in different) else "strata"


def _numbered(names: Sequence[str], small: bool) -> Meaning:
    """Folders that a number tells from each other."""
    before = {re.split(r"[-_. ]*\d", one.lower(), maxsplit=1)[0] for one in names}
    if all(_PATIENT.fullmatch(word) for word in before):
        return "patients"
    if all(_CLASS.fullmatch(word) for word in before):
        return "strata" if len(names) <= MANY else "unclear"
    return "patients" if len(names) > MANY or (small and len(names) > FEW) else "unclear"


def _read(
    places: Sequence[tuple[str, ...]], folders: str, *, ask: bool
) -> tuple[list[str] | None, list[str] | None]:
    """The stratum of each image (None: its folder), and whose folder it is in (None: nobody's)."""
    if folders == "none":
        return [""] * len(places), None
    if folders == "strata":
        return None, None
    depth = max(map(len, places))
    levels = [[place[i] if i < len(place) else "" for place in places] for i in range(depth)]
    paths = [["/".join(place[: i + 1]) for place in places] for i in range(depth)]
    meanings = [meaning(names, above) for names, above in zip(levels, paths, strict=True)]
    owned = meanings.index("patients") if "patients" in meanings else None
    unclear = [i for i, found in enumerate(meanings) if found == "unclear"]
    if folders == "patients" and owned is None:
        owned = next(iter(unclear), next((i for i in range(depth) if meanings[i] == "strata"), None))
    elif owned is None and unclear and ask:
        raise _unclear(levels[unclear[0]])
    if owned is None and "images" not in meanings:
        return None, None
    classes = [i for i, found in enumerate(meanings) if found == "strata" and i != owned]
    strata = ["/".join(filter(None, (levels[i][row] for i in classes))) for row in range(len(places))]
    return strata, None if owned is None else levels[owned]


def _unclear(names: Sequence[str]) -> ConfigError:
    different = sorted(set(names))
    shown = ", ".join(different[:3]) + (", ..." if len(different) > 3 else "")
    return ConfigError(
        f"the images are in {len(different)} folders ({shown}), which could be classes or patients",
        key="dataset.folders",
        allowed="dataset.folders=patients (each on one side of the split), strata (each in all its parts, as "
        "for benign and malignant) or none (they mean nothing)",
    )


def _is_folder(pair: Pair, name: str) -> bool:
    """Whether the stratum is the folder of the image, and not a class that was given."""
    folder = PurePosixPath(pair.id).parent.as_posix()
    return pair.stratum == (plain(name) if folder == "." else folder)


def _by_name(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """For each image of what it is one by its name: a patient, a film, an original with copies."""
    stems = [PurePosixPath(pair.id) for pair in pairs]
    there = {stem.as_posix() for stem in stems}
    by_name: dict[str, str] = {}
    for stem in stems:
        by_name.setdefault(stem.name, stem.as_posix())
    owners = [match[1].lower() if (match := _OWNER.fullmatch(stem.name)) else "" for stem in stems]
    owned = len({*owners} - {""}) >= OWNERS
    found = [
        # A patient may have several films, and images in several folders.
        ("names", owner) if owned and owner else _origin(stem, there, by_name)
        for stem, owner in zip(stems, owners, strict=True)
    ]
    origins = {origin for _, origin in found if origin}
    return [
        one if one[1] or stem.as_posix() not in origins else ("copies", stem.as_posix())
        for stem, one in zip(stems, found, strict=True)
    ]


def _origin(stem: PurePosixPath, there: set[str], by_name: Mapping[str, str]) -> tuple[str, str]:
    """(``films`` or ``copies``, the path of the film or of the original); empty for an image of its own."""

    def place(name: str) -> str:
        """The original beside the copy, else one of its name in another folder."""
        beside = (stem.parent / name).as_posix()
        return beside if beside in there else by_name.get(name, beside)

    name, copied = stem.name, False
    while match := _COPY.fullmatch(name):
        name, copied = match[1], True
    if (match := _NUMBERED.fullmatch(name)) and (stem.parent / match[1]).as_posix() in there:
        name, copied = match[1], True
    if (match := _PREFIX.fullmatch(name)) and match[1] in by_name:
        name, copied = match[1], True
    if match := _FRAME.fullmatch(name) or _SHOT.fullmatch(name):
        return "films", (stem.parent / match[1]).as_posix()
    return ("copies", place(name)) if copied else ("", "")


def _united(
    pairs: Sequence[Pair], owners: Sequence[str] | None, named: Sequence[tuple[str, str]]
) -> tuple[tuple[str, ...] | None, str]:
    """One group an image, the surest first, and the kinds of groups in words; (None, "") without any."""
    groups, kinds = [], dict[str, set[str]]()
    for row, pair in enumerate(pairs):
        kind, key = named[row]
        if owners is not None and owners[row]:
            kind, key = "folders", owners[row]
        if pair.patient:
            kind, key = "patients", pair.patient
        groups.append(key or pair.id)
        if key:
            kinds.setdefault(kind, set()).add(key)
    if len(set(groups)) == len(groups) and "patients" not in kinds:
        return None, ""
    labels = {
        "patients": "{} patients",
        "folders": "{} patients (a folder each)",
        "names": "{} patients (by name)",
        "films": "{} films or volumes (frames by name)",
        "copies": "{} images with copies (by name)",
    }
    words = [text.format(len(kinds[kind])) for kind, text in labels.items() if kind in kinds]
    return tuple(groups), ", ".join(words)
