"""What the machine has and this process may use, read from the system without importing anything heavy."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

GPU_SHARE = "DMF_GPU_SHARE"  # variable with the part of a GPU's memory that a process may use
ARRAYS = 0.92  # of that part for arrays; each process needs some memory besides
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    """
    before = processor_numbers()
    if count and before:
        keep_to(before[:count])
    try:
        yield
    finally:
        keep_to(before)


def free_memory() -> int | None:
    """Bytes of memory that are not in use, of those that this process may use."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _read(Path("/proc/meminfo")), re.MULTILINE)
    limit = memory()
    return limit if found is None or limit is None else min(limit, int(found[1]) * 1024)


def memory() -> int | None:
    """Bytes of memory that this process may use: the machine's, or the container's limit if smaller."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    for text in map(_read, map(Path, _LIMITS)):
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
    there = sum(line.startswith("GPU ") for line in _nvidia_smi("-L"))
    names = visible.split(",") if visible else map(str, range(there))
    return [name.strip() for name in names][:there]


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
    total = _nvidia_smi(f"--id={name}", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    return float(share) * ARRAYS * int(total[0]) * 2**20 if total and total[0].isdigit() else None


def _nvidia_smi(*words: str) -> list[str]:
    """The lines that NVIDIA's tool prints; none without it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run([tool, *words], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


def nvidia_driver() -> str:
    """Version of the NVIDIA driver and the newest CUDA it runs, or "" without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return _read(Path("/proc/driver/nvidia/version")).partition("\n")[0]
    try:
        printed = subprocess.run([tool], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "a driver whose nvidia-smi fails"
    return " ".join(
        next((line for line in printed.splitlines() if "Driver Version" in line), "").strip("| ").split()
    )


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
