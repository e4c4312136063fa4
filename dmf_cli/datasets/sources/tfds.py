"""Any set of tensorflow-datasets with an image and a mask, with its own division into parts."""

import difflib
import functools
import hashlib
import logging
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from dmf_cli import hints, lookup
from dmf_cli.config.inputs import check_classes
from dmf_cli.datasets.base import Dataset, Ignored, Sample
from dmf_cli.datasets.cache import nothing_left
from dmf_cli.datasets.finding import Finding
from dmf_cli.datasets.input_spec import Reading
from dmf_cli.datasets.sources import grey_depth, label_coding, mask_planes, mask_report, mask_values
from dmf_cli.datasets.sources.grey_depth import as_channels
from dmf_cli.datasets.sources.tfds_parts import places_of
from dmf_cli.errors import ConfigError, DatasetError, DownloadError, SizeMismatchError, suggest

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
        values: see :class:`dmf_cli.datasets.sources.folder.FolderDataset`.
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
            raise ConfigError(f"dataset.channels is {channels}: 1 (grey) or 3 (RGB)")
        self.name, self.classes, self.channels = name, tuple(classes), channels
        self.threshold = None if threshold == "auto" else threshold
        self.ignore, self.ignores = label_coding.ignored(ignore, len(self.classes)), ignore is not None
        self._limits = Reading(range).limits
        self._looked: mask_report.Values | None = None
        self._lock = threading.Lock()
        check_classes(classes)
        self.values, self.codes = label_coding.split(values or {}, len(self.classes))
        self._builder, features = builder, builder.info.features
        self._image = _feature(features, image, IMAGES, "image")
        self._mask = _feature(features, mask, MASKS, "mask")
        places = places_of(builder.info, parts)
        self._places = [place for found in places.values() for place in found]
        if set(places) != {"all"}:
            self.parts = tuple(part for part, found in places.items() for _ in found)
        self._sources = {s: builder.as_data_source(split=s) for s in {place.split for place in self._places}}
        self.ids = tuple(f"{place.split}/{place.position:06d}" for place in self._places)
        self.strata = self._told_by(stratum, "stratum") or tuple(place.split for place in self._places)
        self.groups = self._told_by(patient, "patient")

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        place = self._places[index]
        record = self._sources[place.split][place.position]
        image, mask = _pixels(record[self._image], self._image, self._limits), np.asarray(record[self._mask])
        if mask.shape[:2] != image.shape[:2]:
            raise SizeMismatchError(f"{self.name}, {self.ids[index]}: mask and image have different sizes")
        return Sample(as_channels(image, self.channels), self._label(mask, self.ids[index]))

    def fingerprint(self) -> str:
        """See :meth:`Dataset.fingerprint`; kept beside the records, because decoding takes minutes."""
        return _fingerprint(self)

    def reading(self) -> str:
        """See :meth:`Dataset.reading`."""
        coded = (self.values, self.codes, self.threshold, self.ignore)
        return repr((self._image, self._mask, self.classes, self.channels, *coded, self._limits))

    def _label(self, mask: np.ndarray, where: str) -> np.ndarray:
        if self.codes:
            return label_coding.nearest(
                as_channels(_pixels(mask, self._mask), 3), self.codes, where, ignore=self.ignore.colours
            )
        image = _as_image(mask)
        if not self._binary and self.values is None and mask_planes.is_coloured(image):
            raise label_coding.coloured(where)
        plane = mask_planes.plane(image, keep_indices=True)
        if not self._binary:
            return label_coding.by_value(plane, self.values, len(self.classes), where, self.ignore.values)
        void = mask_values.void(image, self.ignore)
        if self.threshold is not None:
            return label_coding.leave_out((plane > self.threshold).astype(np.uint8), void)
        found = mask_values.foreground(plane, self._look().level, lossy=False, counted=~void)
        return label_coding.leave_out(found.astype(np.uint8), void)

    def mask_remarks(self) -> list[Finding]:
        """See :meth:`Dataset.mask_remarks`."""
        return self._look().remarks if self._binary else []

    @property
    def _binary(self) -> bool:
        return self.values is None and not self.codes and len(self.classes) == 2

    def _look(self) -> mask_report.Values:
        """All masks, once; no image is decoded."""
        with self._lock:
            if self._looked is None:
                read = self._undecoded({self._mask})

                def facts(number: int) -> mask_values.Facts:
                    place = self._places[number]
                    mask = np.asarray(read[place.split][place.position][self._mask])
                    return mask_values.facts(_as_image(mask), self.ids[number], self.ignore)

                sources = [functools.partial(facts, number) for number in range(len(self._places))]
                self._looked = mask_report.look(self._masks_key, sources, self.classes, self.threshold)
            return self._looked

    def _masks_key(self) -> str:
        """Not the fingerprint, which needs the labels; sets have versions."""
        return repr((str(self._builder.data_path), self.ids, self.reading()))

    def _undecoded(self, wanted: set[str]) -> dict[str, Any]:
        """Split -> its records, in which no picture but those ``wanted`` is decoded."""
        features = self._builder.info.features
        skipped = {
            k: tfds.decode.SkipDecoding() for k, f in features.items() if k not in wanted and _is_image(f)
        }
        return {s: self._builder.as_data_source(split=s, decoders=skipped) for s in self._sources}

    def _told_by(self, key: str | None, what: str) -> tuple[str, ...] | None:
        """Feature ``key`` of each image as text, without decoding any."""
        if key is None:
            return None
        features = self._builder.info.features
        if key not in features:
            raise ConfigError(f"dataset.{what} is {key!r}: {suggest(key, list(features))}")
        sources = self._undecoded({key})
        found = (sources[place.split][place.position][key] for place in self._places)
        return tuple(_text(features[key], value) for value in found)


def open_tfds(config: Mapping[str, Any]) -> TfdsDataset:
    """The dataset of a ``dataset`` group with ``kind: tfds``.

    Raises:
        ConfigError: see :class:`TfdsDataset`.
        DatasetError: it is not prepared yet.
        UnknownNameError: tensorflow-datasets has no set of the name.
    """
    builder = _builder(config)
    if not builder.is_prepared():
        name = config["name"]
        words = [f"dataset={name}"] if config["builder"] else ["dataset=tfds", f"dataset.name={name}"]
        raise DatasetError(
            f"{name} is not there ({builder.data_path}): get it by "
            f"`{hints.command('data', 'prepare', *words)}`"
        )
    others = ("kind", "builder", "data_dir", "image_size", "resize", "normalize")
    params = {k: v for k, v in config.items() if k not in others}
    lookup.check_keywords("dataset", TfdsDataset, params)
    return TfdsDataset(builder, **params)


def prepare_tfds(config: Mapping[str, Any]) -> TfdsDataset:
    """The same, downloaded and written as records first if it is not there.

    Raises:
        DownloadError: tensorflow-datasets could not.
    """
    builder = _builder(config)
    if not builder.is_prepared():
        if not sys.stderr.isatty():  # its bars would fill a log
            tfds.disable_progress_bar()
        try:
            builder.download_and_prepare()
        except Exception as error:  # whatever the set's own code raises
            reason = " ".join(str(error).split())[:300] or "no message"
            raise DownloadError(
                f"tensorflow-datasets could not prepare {config['name']} ({type(error).__name__}: {reason})"
            ) from error
    dataset = open_tfds(config)
    dataset.fingerprint()  # minutes, now rather than at the start of the first run
    return dataset


def _builder(config: Mapping[str, Any]) -> Any:
    logging.getLogger("absl").setLevel(logging.ERROR)  # it warns of folders that are not there yet
    name = str(config["builder"] or config["name"])
    if re.search(r"[^\w.-]", str(config["name"])):
        raise ConfigError(
            f"dataset.name is {config['name']!r}: give a plain name, and its configuration or version as "
            f"dataset.builder={name}"
        )
    folder = Path(config["data_dir"]).expanduser() if config["data_dir"] else None
    try:
        with nothing_left():
            return tfds.builder(name, data_dir=folder, file_format="array_record")
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"tensorflow-datasets has no set {name!r}: {hint}see https://www.tensorflow.org/datasets/catalog"
        ) from None
    except (ValueError, OSError) as error:  # another format is there, a wrong version or configuration
        raise DatasetError(f"{name} cannot be opened: {' '.join(str(error).split())[:300]}") from None


def _feature(features: Mapping[str, Any], given: str | None, usual: Sequence[str], what: str) -> str:
    """``given``, or the first usual name of a feature that is a picture."""
    pictures = [key for key, feature in features.items() if _is_image(feature)]
    for key in [given] if given else usual:
        if key in pictures:
            return str(key)
    if given and given in features and len(getattr(features[given], "shape", ()) or ()) == 4:
        raise ConfigError(
            f"dataset.{what}={given} is a volume or a film: only pictures of two dimensions work"
        )
    found = ", ".join(pictures) or "none"
    raise ConfigError(
        f"no feature {given!r} that is a picture: give dataset.{what}=NAME (pictures: {found})"
        if given
        else f"which feature is the {what} is not clear: give dataset.{what}=NAME (pictures: {found})"
    )


def _is_image(feature: Any) -> bool:
    return isinstance(feature, tfds.features.Image) or (
        isinstance(feature, tfds.features.Tensor) and len(feature.shape) in (2, 3)
    )


def _pixels(values: Any, key: str, limits: grey_depth.Range | None = None) -> np.ndarray:
    """As ``(H, W, C)`` uint8, or float32 from 0 to 255 for 16 bits or with ``limits``."""
    values = np.asarray(values)
    pixels = values[..., None] if values.ndim == 2 else values
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[-1] not in (1, 3, 4):
        raise DatasetError(
            f"feature {key} holds {pixels.dtype} with {pixels.shape[-1]} channels: only 8 or 16 bits with "
            "1, 3 or 4 channels can be used"
        )
    pixels = pixels[..., :3]
    if limits is None and pixels.dtype == np.uint8:
        return pixels
    return grey_depth.scaled(grey_depth.Values(pixels, 0.0, float(np.iinfo(pixels.dtype).max)), limits)


def _as_image(mask: np.ndarray) -> Image.Image:
    """A mask for :func:`dmf_cli.datasets.sources.mask_planes.plane`, with its values as they are."""
    flat = mask[..., 0] if mask.ndim == 3 and mask.shape[2] == 1 else mask
    return Image.fromarray(flat if flat.dtype in (np.uint8, np.uint16, np.float32) else flat.astype(np.int32))


def _text(feature: Any, value: Any) -> str:
    if isinstance(feature, tfds.features.ClassLabel):
        return str(feature.int2str(int(value)))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


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
