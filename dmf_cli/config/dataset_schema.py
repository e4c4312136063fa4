"""The keys of ``dataset``, by its ``kind``, as dataclasses; see :mod:`dmf_cli.config.schema`."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Interval

from dmf_cli.ranges import Count, Glob, PathName, Positive, Regex, Seed, Share, Template, UpTo

Grey = Annotated[float, UpTo(ge=-(10**9), le=10**9)]
MAX_PIXELS = 178_956_970  # Pillow's own limit: a small file may hold a picture that fills the memory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """Keys of every ``dataset``."""

    name: str
    kind: str
    image_size: Count | tuple[Count, Count]
    resize: Literal["stretch", "letterbox"]
    normalize: Literal["unit", "minmax", "zscore"]
    patch: Count | tuple[Count, Count] | None = None
    channels: Literal[1, 3] = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phantom(Dataset):
    """``kind: phantom``: synthetic images."""

    count: Annotated[int, Interval(ge=3, le=1_000_000)]
    size: Annotated[int, Interval(ge=16, le=1024)]
    seed: Seed
    difficulty: Literal["easy", "medium", "hard"] | Share
    task: Literal["lesion", "type"] = "lesion"
    lesion_area: Annotated[float, Interval(ge=0.002, le=0.2)] | None = None
    data_dir: PathName | None = None
    channels: Literal[1] = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labelled(Dataset):
    """Datasets of image and mask files or records: what the values of a mask mean, and grey values."""

    classes: list[str] = dataclasses.field(default_factory=lambda: ["background", "lesion"])
    values: dict[Any, Any] | None = None
    threshold: Annotated[int, Interval(ge=0, le=65_535)] | Literal["auto"] = "auto"
    ignore: Annotated[int, UpTo(ge=-(2**32), le=2**32)] | str | list[Any] | None = None
    range: tuple[Grey, Grey] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paired(Labelled):
    """Images, each with its masks, however they are found."""

    strata: list[Any] | None = None
    folders: Literal["auto", "strata", "patients", "none"] = "auto"
    missing_mask: Literal["error", "empty"] = "error"
    size_mismatch: Literal["error", "skip"] = "error"
    on_bad: Literal["error", "skip"] = "error"
    spacing: tuple[Positive, Positive] | None = None
    max_pixels: Annotated[int, Interval(ge=1, le=2_147_483_647)] = MAX_PIXELS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(Paired):
    """``kind: folder``: images with masks, paired by name."""

    dir: PathName | None = None
    images: Glob
    exclude: Glob | None = None
    masks: Template
    parse: Regex | None = None
    table: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnFolder(Folder):
    """A folder of the user."""

    dir: PathName


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published(Folder):
    """A folder that ``dmf data prepare`` can get, or says where to get; ``dir: null`` is where it puts it."""

    download: dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table(Paired):
    """``kind: table``: images with masks, listed in a CSV file."""

    table: PathName
    dir: PathName | None = None
    columns: dict[str, Any] = dataclasses.field(default_factory=dict)
    parts: Literal["own", "pool"] = "own"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Own(Paired):
    """``kind: own``: cases that a function or a class of a plugin yields.

    ``params`` is no key: it holds those that are parameters of the function, which stand beside the others.
    """

    parts: Literal["own", "pool"] = "own"
    params: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tfds(Labelled):
    """``kind: tfds``: records of tensorflow-datasets."""

    builder: str | None = None
    data_dir: PathName | None = None
    image: str | None = None
    mask: str | None = None
    classes: list[str] = dataclasses.field(default_factory=lambda: ["background", "foreground"])
    channels: Literal[1, 3] = 3
    parts: Literal["own", "pool"] | dict[str, Any] = "own"
    stratum: str | None = None
    patient: str | None = None


DATASETS: dict[str, type] = {
    "folder": OwnFolder,
    "own": Own,
    "phantom": Phantom,
    "table": Table,
    "tfds": Tfds,
}


def of_kind(kind: str, published: bool) -> type:
    """The keys of a dataset of this ``kind``; ``published`` of a folder that can be downloaded."""
    return Published if kind == "folder" and published else DATASETS[kind]


def places(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys of a ``dataset`` group that only say where its images are: what they are is in their content."""
    more = {"table": ("table", "download"), "own": ()}
    return ("dir", "data_dir", *more.get(str(dataset.get("kind")), ("download",)))
