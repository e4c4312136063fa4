"""The phantom as a tensorflow-datasets builder, prepared once into the user's cache."""

import contextlib
import dataclasses
import hashlib
import io
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from dmf_cli.config.dataset_schema import Phantom
from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.cache import cache_folder, locked, nothing_left
from dmf_cli.datasets.sources.phantom import scan
from dmf_cli.errors import ConfigError, DatasetError
from dmf_cli.quiet import quiet

CITATION = """@software{dmf_phantom, title = {Synthetic breast-ultrasound phantom of dmf}, year = {2026}}"""


@dataclasses.dataclass(kw_only=True)
class PhantomConfig(tfds.core.BuilderConfig):
    """What a phantom dataset depends on; the name holds all of it, so that no other data are read back."""

    size: int = 128
    count: int = 800
    seed: int = 0
    difficulty: float = scan.DIFFICULTIES["medium"]
    task: str = "lesion"
    lesion_area: float | None = None

    @classmethod
    def of(
        cls,
        *,
        size: int,
        count: int,
        seed: int,
        difficulty: float | str,
        task: str = "lesion",
        lesion_area: float | None = None,
    ) -> "PhantomConfig":
        """A named config; raises ``ConfigError`` for a value out of range."""
        level = scan.check(size, difficulty, task, lesion_area)
        if count < 3:
            raise ConfigError(
                key="dataset.count", value=count, hint="a split needs at least 3 images (train, val, test)"
            )
        name = f"size{size}_count{count}_seed{seed}_difficulty{level:g}"
        name += "" if task == "lesion" else f"_{task}"
        name += "" if lesion_area is None else f"_area{lesion_area:g}"
        known = {"size": size, "count": count, "seed": seed, "difficulty": level}
        more = {"task": task, "lesion_area": lesion_area}
        return cls(name=name, description=f"{count} images of {size}x{size}", **known, **more)  # type: ignore[arg-type]

    def drawn(self) -> dict[str, Any]:
        """What an image depends on, beside its index."""
        return {key: getattr(self, key) for key in ("seed", "size", "difficulty", "task", "lesion_area")}


class BreastPhantom(tfds.core.GeneratorBasedBuilder):
    """Synthetic B-mode breast ultrasound with exact lesion masks."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 - as tensorflow-datasets declares it
    BUILDER_CONFIGS = [  # noqa: RUF012
        PhantomConfig.of(size=128, count=800, seed=0, difficulty=name) for name in scan.DIFFICULTIES
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.size
        return self.dataset_info_from_configs(
            description="Synthetic B-mode breast ultrasound with exact lesion masks (dmf_cli.datasets).",
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "image": tfds.features.Image(shape=(size, size, 1)),
                    "label": tfds.features.Image(shape=(size, size, 1)),
                    "stratum": tfds.features.ClassLabel(names=list(scan.STRATA)),
                }
            ),
            supervised_keys=("image", "label"),
            citation=CITATION,
            disable_shuffling=True,  # ids in order; training shuffles
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        for index in range(config.count):
            made = scan.generate(index, **config.drawn())
            yield (
                index,
                {
                    "id": f"{index:06d}",
                    "image": made.image,
                    "label": made.label[..., None],
                    "stratum": made.stratum,
                },
            )


class PhantomDataset(Dataset):
    """The prepared phantom, read image by image."""

    synthetic = True

    def __init__(self, builder: BreastPhantom) -> None:
        task = builder.builder_config.task
        self.name, self.classes, self.channels = "phantom", scan.TASKS[task], 1
        self._builder = builder
        self._source = builder.as_data_source(split="train")
        count = builder.builder_config.count
        self.ids = tuple(f"{index:06d}" for index in range(count))
        self.strata = tuple(scan.STRATA[self._source[index]["stratum"]] for index in range(count))

    def load(self, index: int) -> Sample:
        """See :meth:`Dataset.load`."""
        record = self._source[index]
        return Sample(record["image"], record["label"][..., 0])

    def fingerprint(self) -> str:
        """See :meth:`Dataset.fingerprint`."""
        digest = hashlib.sha256()
        for index in range(len(self)):
            sample = self.load(index)
            digest.update(np.ascontiguousarray(sample.image).tobytes())
            digest.update(np.ascontiguousarray(sample.label).tobytes())
        return digest.hexdigest()[:16]


def open_phantom(dataset: Phantom) -> PhantomDataset:
    """The phantom of a ``dataset`` group, prepared on first use (a few seconds).

    Raises:
        DatasetError: the cache cannot be written.
    """
    folder = cache_folder(dataset.data_dir)
    builder_config = PhantomConfig.of(
        size=dataset.size,
        count=dataset.count,
        seed=dataset.seed,
        difficulty=dataset.difficulty,
        task=dataset.task,
        lesion_area=dataset.lesion_area,
    )
    builder_config = BreastPhantom.builder_configs.get(builder_config.name, builder_config)
    logging.getLogger("absl").setLevel(logging.ERROR)  # it warns of a custom config and of missing OpenCV
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / f".{builder_config.name}.lock"):
            with nothing_left():
                builder = BreastPhantom(data_dir=folder, config=builder_config, file_format="array_record")
            _prepare(builder)
    except OSError as error:
        raise DatasetError(
            f"the phantom cannot be written to {folder} ({error.strerror or error})",
            path=folder,
            hint="set dataset.data_dir=PATH or the environment variable DMF_CACHE to a folder that you can "
            "write to",
        ) from None
    return PhantomDataset(builder)


def _prepare(builder: BreastPhantom) -> None:
    """Write the records; tensorflow-datasets renames a finished folder, so nothing half-made is ever read."""
    tfds.disable_progress_bar()
    # It prints what it "downloads", and TensorFlow greets where nothing has loaded it before.
    with quiet(), contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare()
