"""Any set of tensorflow-datasets with an image and a mask, with its own division into parts."""

import difflib
import functools
import hashlib
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow_datasets as tfds

from dmf_cli import hints, lookup
from dmf_cli.config.dataset_schema import Tfds
from dmf_cli.config.inputs import check_classes
from dmf_cli.datasets.base import Dataset, Examined, Ignored, Sample
from dmf_cli.datasets.cache import nothing_left
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input_spec import Reading
from dmf_cli.datasets.sources import label_coding
from dmf_cli.datasets.sources.content import as_image
from dmf_cli.datasets.sources.grey_depth import as_channels
from dmf_cli.datasets.sources.mask_reader import MaskReader
from dmf_cli.datasets.sources.mask_values import MaskFacts
from dmf_cli.datasets.sources.tfds_features import as_pixels, as_text, is_image, picture_named
from dmf_cli.datasets.sources.tfds_parts import places_of
from dmf_cli.errors import ConfigError, DatasetError, DownloadError, SizeMismatchError

# Names that sets give their features, the likeliest first.
IMAGES = ("image",)
MASKS = ("segmentation_mask", "segmentation_label", "mask", "annotation", "label")


class TfdsDataset(Dataset):
    """A prepared set of tensorflow-datasets, read image by image.

    Args:
        builder: prepared, with records that can be read at any position (``array_record``).
        name: what tables call it.
        image: feature of the images; None: the first of ``IMAGES`` that it has.
        mask: feature of the masks; None: the first of ``MASKS``.
        classes: names, the background first.
        values: see :class:`dmf_cli.datasets.sources.paired.PairedDataset`.
        threshold: likewise.
        ignore: likewise.
        channels: 1 reads images as grey, 3 as RGB.
        range: grey values that become black and white, see
            :class:`dmf_cli.datasets.input_spec.Reading`.
        parts: ``own`` takes its splits as they are, if it has all three; ``pool`` puts all images together;
            a mapping gives a split in the words of tensorflow-datasets for each of train, val and test.
        stratum: feature that is the stratum, or None.
        patient: feature that is the group, or None.

    Raises:
        ConfigError: a feature, a split or a value that is not there.
    """

    ignore: Ignored

    def __init__(
        self,
        builder: Any,
        *,
        name: str,
        image: str | None = None,
        mask: str | None = None,
        classes: Sequence[str] = ("background", "foreground"),
        values: Mapping[int | str, int] | None = None,
        threshold: int | Literal["auto"] = "auto",
        ignore: int | str | Sequence[int | str] | None = None,
        channels: Literal[1, 3] = 3,
        range: Sequence[float] | None = None,  # the key of the config
        parts: str | Mapping[str, str] = "own",
        stratum: str | None = None,
        patient: str | None = None,
    ) -> None:
        if channels not in (1, 3):
            raise ConfigError(key="dataset.channels", value=channels, hint="1 (grey) or 3 (RGB)")
        self.name, self.classes, self.channels = name, tuple(classes), channels
        self._limits = Reading(range).limits
        check_classes(classes)
        self.mask_reader = MaskReader(
            self.classes, values, threshold, ignore,
            key=self._masks_key, facts=self._facts, count=self.__len__,
        )  # fmt: skip
        self.ignore, self.ignores = self.mask_reader.ignore, self.mask_reader.ignores
        self._builder, features = builder, builder.info.features
        self._image = picture_named(features, image, IMAGES, "image")
        self._mask = picture_named(features, mask, MASKS, "mask")
        places = places_of(builder.info, parts)
        self._places = [place for found in places.values() for place in found]
        if set(places) != {"all"}:
            self.parts = tuple(part for part, found in places.items() for _ in found)
        self._sources = {s: builder.as_data_source(split=s) for s in {place.split for place in self._places}}
        self.ids = tuple(f"{place.split}/{place.position:06d}" for place in self._places)
        self.strata = self._feature_of(stratum, "stratum") or tuple(place.split for place in self._places)
        self.groups = self._feature_of(patient, "patient")

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        return self._sample(index, *self._read(index))

    def examine(self, index: int) -> Examined:
        """See :meth:`Dataset.examine`; the record is decoded once for image and mask."""
        values: tuple[MaskFacts, ...] = ()
        try:
            image, mask = self._read(index)
            if self.mask_reader.binary:
                values = (self.mask_reader.facts(as_image(mask), self.ids[index]),)
            sample = self._sample(index, image, mask, guess=True)
        except DatasetError as error:
            return Examined(None, None, error, values)
        return Examined(sample.image, sample.label, None, values)

    def settle(self, values: Sequence[MaskFacts]) -> bool:
        """See :meth:`Dataset.settle`."""
        return self.mask_reader.settle(values)

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        place = self._places[index]
        record = self._sources[place.split][place.position]
        return record[self._image], np.asarray(record[self._mask])

    def _sample(self, index: int, image: np.ndarray, mask: np.ndarray, guess: bool = False) -> Sample:
        image = as_pixels(image, self._image, self._limits)
        if mask.shape[:2] != image.shape[:2]:
            raise SizeMismatchError(
                f"mask and image of {self.ids[index]} in {self.name} have different sizes"
            )
        return Sample(as_channels(image, self.channels), self._label(mask, self.ids[index], guess))

    def fingerprint(self) -> str:
        """See :meth:`Dataset.fingerprint`; kept beside the records, because decoding takes minutes."""
        return _fingerprint(self)

    def reading(self) -> str:
        """See :meth:`Dataset.reading`."""
        masks = self.mask_reader
        coded = (masks.values, masks.colours, masks.threshold, self.ignore)
        return repr((self._image, self._mask, self.classes, self.channels, *coded, self._limits))

    def _label(self, mask: np.ndarray, where: str, guess: bool) -> np.ndarray:
        if colours := self.mask_reader.colours:  # of three channels; a fourth counts nowhere
            seen = as_channels(as_pixels(mask, self._mask), 3)
            return label_coding.nearest(seen, colours, where, ignore=self.ignore.colours)
        return self.mask_reader.label(as_image(mask), where, guess=guess)

    def mask_remarks(self) -> list[Finding]:
        """See :meth:`Dataset.mask_remarks`."""
        return self.mask_reader.remarks()

    def _facts(self, number: int) -> MaskFacts:
        """What the mask of an image holds, which itself is not decoded."""
        place, read = self._places[number], self._undecoded(frozenset({self._mask}))
        mask = np.asarray(read[place.split][place.position][self._mask])
        return self.mask_reader.facts(as_image(mask), self.ids[number])

    def _masks_key(self) -> str:
        """Not the fingerprint, which needs the labels; sets have versions."""
        return repr((str(self._builder.data_path), self.ids, self.reading()))

    @functools.lru_cache(maxsize=2)  # noqa: B019 - few sets are open at once
    def _undecoded(self, wanted: frozenset[str]) -> dict[str, Any]:
        """Split -> its records, in which no picture but those ``wanted`` is decoded."""
        features = self._builder.info.features
        skipped = {
            k: tfds.decode.SkipDecoding() for k, f in features.items() if k not in wanted and is_image(f)
        }
        return {s: self._builder.as_data_source(split=s, decoders=skipped) for s in self._sources}

    def _feature_of(self, key: str | None, what: str) -> tuple[str, ...] | None:
        """Feature ``key`` of each image as text, without decoding any."""
        if key is None:
            return None
        features = self._builder.info.features
        if key not in features:
            raise ConfigError(key=f"dataset.{what}", value=key, allowed=features)
        sources = self._undecoded(frozenset({key}))
        found = (sources[place.split][place.position][key] for place in self._places)
        return tuple(as_text(features[key], value) for value in found)


def open_tfds(dataset: Tfds) -> TfdsDataset:
    """The dataset of a ``dataset`` group with ``kind: tfds``.

    Raises:
        ConfigError: see :class:`TfdsDataset`.
        DatasetError: it is not prepared yet.
        UnknownNameError: tensorflow-datasets has no set of the name.
    """
    builder = _builder(dataset)
    if not builder.is_prepared():
        name = dataset.name
        words = [f"dataset={name}"] if dataset.builder else ["dataset=tfds", f"dataset.name={name}"]
        raise DatasetError(
            f"{name} is not there ({builder.data_path})",
            path=builder.data_path,
            hint=f"get it by `{hints.command('data', 'prepare', *words)}`",
        )
    return TfdsDataset(builder, **{key: getattr(dataset, key) for key in lookup.keywords(TfdsDataset)})


def prepare_tfds(dataset: Tfds) -> TfdsDataset:
    """The same, downloaded and written as records first if it is not there.

    Raises:
        DownloadError: tensorflow-datasets could not.
    """
    builder = _builder(dataset)
    if not builder.is_prepared():
        if not sys.stderr.isatty():  # its bars would fill a log
            tfds.disable_progress_bar()
        try:
            builder.download_and_prepare()
        except Exception as error:  # whatever the set's own code raises
            reason = " ".join(str(error).split())[:300] or "no message"
            raise DownloadError(
                f"tensorflow-datasets could not prepare {dataset.name} ({type(error).__name__}: {reason})"
            ) from error
    opened = open_tfds(dataset)
    opened.fingerprint()  # minutes, now rather than at the start of the first run
    return opened


def _builder(dataset: Tfds) -> Any:
    logging.getLogger("absl").setLevel(logging.ERROR)  # it warns of folders that are not there yet
    name = dataset.builder or dataset.name
    if re.search(r"[^\w.-]", dataset.name):
        raise ConfigError(
            key="dataset.name",
            value=dataset.name,
            allowed=f"a plain name, and its configuration or version as dataset.builder={name}",
        )
    folder = Path(dataset.data_dir).expanduser() if dataset.data_dir else None
    try:
        with nothing_left():
            return tfds.builder(name, data_dir=folder, file_format="array_record")
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"tensorflow-datasets has no set {name!r}",
            key="dataset.builder",
            value=name,
            hint=f"{hint}see https://www.tensorflow.org/datasets/catalog",
        ) from None
    except (ValueError, OSError) as error:  # another format is there, a wrong version or configuration
        raise DatasetError(f"{name} cannot be opened", hint=" ".join(str(error).split())[:300]) from None


@functools.lru_cache(maxsize=8)
def _fingerprint(dataset: TfdsDataset) -> str:
    key = hashlib.sha256(repr((dataset.reading(), dataset.ids)).encode()).hexdigest()[:16]
    file = Path(dataset._builder.data_path) / f"dmf_fingerprint_{key}.txt"
    if file.is_file():
        return file.read_text(encoding="ascii").strip()
    digest = hashlib.sha256()
    for index, name in enumerate(dataset.ids):
        sample = dataset.load(index)
        digest.update(name.encode() + repr(sample.image.shape).encode())
        digest.update(np.ascontiguousarray(sample.image).tobytes() + sample.label.tobytes())
    found = digest.hexdigest()[:16]
    try:
        file.write_text(found, encoding="ascii")
    except OSError:  # a shared set that only its owner may write: it is counted again the next time
        logging.getLogger("dmf").debug("%s cannot be written", file)
    return found
