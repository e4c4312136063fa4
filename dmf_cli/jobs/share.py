"""Which part of the machine each of several jobs may use: processors, and a GPU or a part of one.

Each job of a runner gets the same number of processors, for the last bits of a network depend on how many
threads add up: which jobs run beside it shall not change a result. One that is resumed has as many as before.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dmf_cli import hosts, machine
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError

A_JOB = 2 * 2**30  # bytes of main memory that a job is taken to need
ON_GPU = ("auto", "gpu")  # values of trainer.device that leave open which


def check(config: Config) -> None:
    """Report what one of several jobs cannot have.

    Raises:
        ConfigError: several hosts, or a precision that each would try while others keep the machine busy, and
            so in vain.
    """
    hosts.check_alone(config.trainer)
    if config.trainer.precision == "auto":
        raise ConfigError(
            key="trainer.precision",
            value="auto",
            reason="which jobs would try beside each other, each for itself",
            hint="train one alone with it first, and give all jobs the precision that this one takes",
        )


@dataclasses.dataclass(frozen=True)
class Share:
    """What one job may use.

    Args:
        processors: their numbers; none: all of them.
        gpu: its name in CUDA_VISIBLE_DEVICES, or several with commas; empty: what there is.
        memory: the part of each GPU's memory, from above 0 to 1.
        jobs: how many of them share the main memory.
    """

    processors: tuple[int, ...] = ()
    gpu: str = ""
    memory: float = 1.0
    jobs: int = 1

    @property
    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @staticmethod
    def take(plain: Mapping[str, Any]) -> None:
        """Keep this process to the share that ``plain`` is; before anything is computed."""
        share = Share(**plain)
        machine.keep_to(share.processors)
        machine.share_memory(share.jobs)
        if share.gpu:
            machine.use_gpu(share.gpu, share.memory)


class Shares:
    """The machine, shared out.

    Args:
        workers: jobs at a time; ``auto``: as many as there are places on GPUs, or without a GPU processors,
            and as fit into main memory.
        per_gpu: jobs at a time on each GPU.
        jobs: how many there are in all, if that is known: with few of them each has more of the machine.
    """

    def __init__(self, workers: int | Literal["auto"] = 1, per_gpu: int = 1, jobs: int | None = None) -> None:
        self.per_gpu, self._gpus = per_gpu, machine.gpu_names() if workers != 1 or per_gpu > 1 else []
        self._there = self._gpus
        places = self._places() if workers == "auto" else workers
        self.most = self._planned = max(1, min(places, jobs or places))
        self._processors = machine.processor_numbers()
        self._parts = _split(self._processors, self.most)
        self._given: dict[Any, Share] = {}

    @property
    def processors(self) -> int:
        """That a job has; 0: all."""
        return len(self._parts[0])

    def free(self, config: Config | None = None) -> bool:
        """Whether there is room for one more job, with this ``config``."""
        if len(self._given) >= self.most:
            return False
        if config is None or not self._on_gpu(config):
            return True
        return all(self._busy(gpu) < self.per_gpu for gpu in self._idlest(config))

    def give(self, job: Any, config: Config, processors: int | None = None) -> Share:
        """The share of a job, until :meth:`take_back`.

        Args:
            job: whose it is.
            config: of the job.
            processors: how many it had before, if it is resumed.
        """
        gpus = self._idlest(config) if self._on_gpu(config) else []
        beside = math.ceil(self.most * len(gpus) / len(self._gpus)) if gpus else 1
        memory = 1 / min(self.per_gpu, beside) if gpus else 1.0
        share = Share(self._part(processors), ",".join(gpus), memory, self._planned)
        self._given[job] = share
        return share

    def take_back(self, job: Any) -> Share:
        """The job has ended; what it had."""
        return self._given.pop(job, Share())

    def fewer(self, running: int) -> bool:
        """Let no more than ``running`` jobs be run at a time from now on; False if that would be none."""
        if running < 1:
            return False
        self.most = min(self.most, running)
        return True

    def one_a_gpu(self) -> None:
        """Let so few jobs be run at a time that each has a whole GPU."""
        self.fewer(len(self._gpus))

    def as_planned(self) -> None:
        """Let as many jobs be run at a time as at the beginning."""
        self.most = self._planned

    def with_all_gpus(self) -> None:
        """Use those again that were given up."""
        self._gpus = self._there

    def without(self, gpu: str) -> bool:
        """Use this GPU, or all of these, no more; False if there is no other."""
        left = [name for name in self._gpus if name not in gpu.split(",")]
        if not gpu or not left:
            return False
        self._gpus = left
        return True

    def _part(self, count: int | None) -> tuple[int, ...]:
        """The idlest processors: as many as each job has, or ``count`` if there are so many."""
        used = Counter(number for share in self._given.values() for number in share.processors)
        part = min(self._parts, key=lambda part: sum(used[number] for number in part))
        there = len(self._processors)
        if count is None or count > there or count == (len(part) or there):
            return part
        return () if count == there else tuple(sorted(sorted(self._processors, key=used.__getitem__)[:count]))

    def _on_gpu(self, config: Config) -> bool:
        return bool(self._gpus) and config.trainer.device in ON_GPU

    def _busy(self, gpu: str) -> int:
        return sum(gpu in share.gpu.split(",") for share in self._given.values())

    def _idlest(self, config: Config) -> list[str]:
        """The GPUs for a job: one, or as many as ``trainer.devices`` says, if there are so many; with ``all``
        it uses those that it is given.
        """
        wanted = config.trainer.devices
        return sorted(self._gpus, key=self._busy)[: 1 if wanted == "all" else wanted]

    def _places(self) -> int:
        fit = max(1, machine.free_memory() // A_JOB)
        return min(fit, len(self._gpus) * self.per_gpu or machine.processors_worth())


def _split(processors: Sequence[int], parts: int) -> list[tuple[int, ...]]:
    """Parts of the same size; no part at all (all processors for everyone) if there is but one."""
    if parts == 1 or not processors:
        return [()]
    size = max(1, len(processors) // parts)
    return [tuple(processors[start : start + size]) for start in range(0, len(processors) - size + 1, size)]
