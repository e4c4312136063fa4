"""What the machine has and this process may use, read from the system without importing anything heavy."""

import contextlib
import functools
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

GPU_SHARE = "DMF_GPU_SHARE"  # variable with the part of a GPU's memory that a process may use
ARRAYS = 0.92  # of that part for arrays; each process needs some memory besides
MEMORY_SHARED = "DMF_MEMORY_SHARED"  # variable with the number of processes that share the main memory
_CONTROL, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; one that does not is slower in it than in float32."""
    lines = _read(Path("/proc/cpuinfo")).splitlines()
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


@functools.cache
def backend_processors() -> int:
    """How many processors this process might use when its backend started: so many threads it has since."""
    return processors()


def processor_numbers() -> list[int]:
    """The processors that this process may use, where that can be chosen; else none."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []


def keep_to(numbers: Sequence[int]) -> None:
    """Let this process use these processors only, as far as it may; backends then start as many threads."""
    allowed = set(numbers) & set(processor_numbers())
    if allowed:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def on_processors(count: int | None) -> Iterator[None]:
    """Keep this process to ``count`` processors inside the block, where it may use more.

    A backend that starts inside has as many threads, and of their number depend the last bits of its sums.
    Which ones they are differs between processes, for several may do so at a time.
    """
    before = processor_numbers()
    if count and before:
        first = os.getpid() % len(before)
        keep_to([*before[first:], *before[:first]][:count])
    try:
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)  # `keep_to` only ever takes some away


def processors_worth() -> int:
    """How many processors may be kept busy: a container may see more of them than it gets the time of."""
    worth = processors()
    for group in _groups("cpu"):
        said = [_read(group / name) for name in ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")]
        limits = " ".join(said).split()
        if len(limits) == 2 and all(map(str.isdigit, limits)):  # microseconds of each; max, -1: none
            worth = min(worth, max(1, math.ceil(int(limits[0]) / int(limits[1]))))
    return worth


def free_memory() -> int:
    """Bytes that this process can still take: of the machine, or of its container if that is less, or its
    part of them (:func:`share_memory`).
    """
    free = _facts(Path("/proc/meminfo")).get("MemAvailable:")
    if free is None:  # no Linux: half of all
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    else:
        free *= 1024
    for group in _groups("memory"):
        idle = _facts(group / "memory.stat")
        for limit, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most, taken = _read(group / limit), _read(group / used)
            if most.isdigit() and taken.isdigit():
                free = min(free, int(most) - int(taken) + idle.get(cached, 0))
    return max(free, 0) // int(os.environ.get(MEMORY_SHARED, "1"))


def share_memory(processes: int) -> None:
    """Let this process take only its part of the free memory, of which so many processes take theirs."""
    os.environ[MEMORY_SHARED] = str(processes)


def memory() -> int | None:
    """Bytes of memory that this process may use: the machine's, or the container's limit if smaller."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    for group in _groups("memory"):
        for text in (_read(group / "memory.max"), _read(group / "memory.limit_in_bytes")):
            total = min(total, int(text)) if text.isdigit() else total
    return total


def amount(size: float) -> str:
    """Bytes of memory, of a file or of a disk in words; the only place that says them.

    Example:
        >>> amount(3 * 2**29), amount(640 * 2**20), amount(2**18)
        ('1.5 GiB', '640 MiB', '256 KiB')
    """
    if size >= 2**30:
        return f"{size / 2**30:,.1f} GiB"
    return f"{size / 2**20:.0f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def peak_memory() -> float:
    """Bytes of main memory that this process has had at most, since it was forked or started."""
    try:
        import resource
    except ImportError:  # no Unix
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def gpus() -> int:
    """How many GPUs of NVIDIA's programs may use, without importing a backend."""
    return len(gpu_names())


def gpu_names() -> list[str]:
    """These GPUs, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible in ("", "-1"):
        return []
    there = sum(line.startswith("GPU ") for line in nvidia_smi("-L"))
    names = [name.strip() for name in visible.split(",")] if visible else [str(i) for i in range(there)]
    # One GPU may have several parts (MIG), each with a name of its own.
    return [name for name in names if (int(name) < there if name.isdigit() else there)]


def use_gpu(name: str, memory: float) -> None:
    """Let this process see one GPU only, and use a part of its memory; before a backend looks for GPUs."""
    os.environ["CUDA_VISIBLE_DEVICES"] = name
    if memory < 1:
        os.environ[GPU_SHARE] = str(memory)
        os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{ARRAYS * memory:.3f}"


def gpu_memory() -> float | None:
    """Bytes of the GPU's memory that this process may use, if it was given a part of one."""
    share, name = os.environ.get(GPU_SHARE), os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if not share:
        return None
    total = nvidia_smi(f"--id={name}", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    return float(share) * ARRAYS * int(total[0]) * 2**20 if total and total[0].isdigit() else None


def nvidia_smi(*words: str) -> list[str]:
    """The lines that NVIDIA's tool prints; none without it, or where it fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run([tool, *words], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


def nvidia_driver() -> str:
    """Version of the NVIDIA driver and the newest CUDA it runs, or "" without one."""
    if shutil.which("nvidia-smi") is None:
        return _read(Path("/proc/driver/nvidia/version")).partition("\n")[0]
    if not (printed := nvidia_smi()):
        return "a driver whose nvidia-smi fails"
    return " ".join(next((line for line in printed if "Driver Version" in line), "").strip("| ").split())


def writable(folder: Path) -> str:
    """Why no file can be made in ``folder`` (or in its nearest existing parent), or ""."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def free_space(folder: Path) -> int:
    """Free bytes on the disk of ``folder`` (or of its nearest existing parent)."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _groups(controller: str) -> list[Path]:
    """Folders of the control groups that this process is in, each of which has limits of its own.

    A container has the topmost one only, whatever it is called outside.
    """
    found = [_CONTROL, _CONTROL / controller]
    for line in _read(_MEMBERSHIP).splitlines():
        _, names, path = line.split(":", 2)
        if not names or controller in names.split(","):  # version 2 has one tree for all
            top = _CONTROL / controller if names else _CONTROL
            own = top / path.lstrip("/")
            found += [folder for folder in (own, *own.parents) if top in folder.parents]
    return found


def _facts(file: Path) -> dict[str, int]:
    """The first number behind each word that begins a line."""
    lines = (line.split() for line in _read(file).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _read(file: Path) -> str:
    """The text of a file of the system; "" where there is none."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@contextlib.contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """An environment variable for the length of a block; what was there before comes back."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({} if before is None else {name: before})
