"""``dmf doctor``: is everything there that a run needs, and if not, what to do about it."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from dmf_cli import __version__, hints, machine
from dmf_cli.cli._parser import Parser
from dmf_cli.datasets.cache import cache_folder
from dmf_cli.errors import DmfError, UnknownNameError
from dmf_cli.terminal.say import say, say_text

OK, NOTE, PROBLEM = "ok", "note", "PROBLEM"
BACKENDS = ("tensorflow", "jax", "torch")
OPTIONAL = ("jax", "torch")
DISTRIBUTION = "dmf-cli"
GIB = 2**30
PROBE_SECONDS = 180
SAFE_KERAS = (3, 13, 2)

_ABOUT = """\
Checks versions, backend, devices, memory and writable paths. Each line that is not ok says what to do.
Exit code 1 when something is broken, 0 otherwise (notes are not problems).
"""


@dataclasses.dataclass(frozen=True)
class Check:
    """One line of the report; ``do`` says what to do when ``state`` is not ok."""

    name: str
    state: str
    found: str
    do: str = ""


def run(arguments: Sequence[str]) -> int:
    """``dmf doctor [--backend NAME] [--json]``."""
    parser = Parser(prog="dmf doctor", description=_ABOUT)
    parser.add_argument(
        "--backend", help="the backend to try: tensorflow (default, or KERAS_BACKEND), jax, torch"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects for programs")
    options = parser.parse_args(list(arguments))
    backend = options.backend or os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in BACKENDS:
        raise UnknownNameError("backend", backend, BACKENDS)
    results = []
    for check in checks(backend):
        results.append(check)
        if not options.json:
            _show(check)
    if options.json:
        say_text(json.dumps([dataclasses.asdict(check) for check in results], indent=2))
    return _conclude(results, quiet=options.json)


def checks(backend: str) -> Iterator[Check]:
    """All checks, the slow one (importing the backend) last."""
    yield Check("python", OK, f"{sys.version.split()[0]} at {sys.executable}")
    yield Check("dmf", OK, f"{__version__} at {Path(__file__).resolve().parent.parent}")
    yield from packages()
    yield from clashing_packages()
    for name in OPTIONAL:
        yield package(name, required=name == backend)
    yield configs()
    yield processor()
    yield memory()
    for name, folder in (("outputs", Path.cwd() / "outputs"), ("cache", cache_folder())):
        yield folder_check(name, folder)
    yield terminal()
    yield from backend_checks(backend, probe)


def packages() -> Iterator[Check]:
    """Whether each distribution is installed that the metadata of dmf itself ask for."""
    try:
        needed = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Check(DISTRIBUTION, PROBLEM, "runs from a folder without being installed", hints.install())
        return
    for line in needed:
        name, condition = re.split(r"[^\w.-]", line)[0], line.partition(";")[2]
        if "extra" not in condition:
            yield without_holes(package(name, required=True))


def package(name: str, *, required: bool) -> Check:
    """Whether the distribution ``name`` is installed."""
    try:
        return Check(name, OK, metadata.version(name))
    except metadata.PackageNotFoundError:
        state = PROBLEM if required else NOTE
        do = hints.install(name if name in OPTIONAL else "")
        return Check(name, state, "not installed", do if required else f"optional: {do}")


def without_holes(check: Check) -> Check:
    """``check`` of a package, with a note if it is a Keras whose ``load_model`` runs code of hostile files.

    In spite of its ``safe_mode``: the last of those holes (CVE-2026-1462 and 1669) were closed in 3.13.2.
    """
    if check.name != "keras" or check.state != OK:
        return check
    version = tuple(map(int, re.findall(r"\d+", check.found)[:3]))
    if version >= SAFE_KERAS:
        return check
    found = (
        f"{check.found}, whose load_model runs code of hostile files (dmf does not use it for files of runs)"
    )
    return dataclasses.replace(check, state=NOTE, found=found, do="pip install -U keras")


def clashing_packages() -> Iterator[Check]:
    """``tensorflow-cpu`` writes the files of ``tensorflow``: with both, either may be half overwritten."""
    try:
        metadata.version("tensorflow-cpu")
    except metadata.PackageNotFoundError:
        return
    do = "pip uninstall tensorflow-cpu tensorflow; pip install tensorflow"
    yield Check("tensorflow-cpu", PROBLEM, "installed beside tensorflow", do)


def configs() -> Check:
    """Whether ``conf/`` is found and its default experiment composes."""
    from dmf_cli import config

    try:
        folder = config.conf_dir()
        config.compose()
    except DmfError as error:
        return Check("configs", PROBLEM, str(error), "install dmf again, or undo the last change in conf/")
    return Check("configs", OK, str(folder))


def processor() -> Check:
    """Cores that may be used."""
    count = machine.processors()
    if count > 1:
        return Check("cores", OK, str(count))
    return Check("cores", NOTE, "1", "training will be slow: allow more cores, or use a GPU")


def memory() -> Check:
    """Memory that may be used."""
    size = machine.memory()
    if size is None:
        return Check("memory", NOTE, "unknown", "make sure that there are 4 GiB")
    if size >= 4 * GIB:
        return Check("memory", OK, machine.amount(size))
    return Check(
        "memory", NOTE, machine.amount(size), "use a smaller trainer.batch_size or dataset.image_size"
    )


def folder_check(name: str, folder: Path) -> Check:
    """Whether files can be written to ``folder``, and whether there is space."""
    where = {"outputs": "work in another folder, or set output_root=PATH", "cache": "set DMF_CACHE=PATH"}[
        name
    ]
    wrong = machine.writable(folder)
    if wrong:
        return Check(name, PROBLEM, f"{folder}: {wrong}", where)
    free = machine.free_space(folder)
    if free < GIB:
        return Check(name, NOTE, f"{folder}: {machine.amount(free)} free", f"free some space, or {where}")
    return Check(name, OK, f"{folder} ({machine.amount(free)} free)")


def terminal() -> Check:
    """Whether the live display can be shown."""
    encoding = (sys.stdout.encoding or "").lower()
    if not sys.stdout.isatty():
        return Check("terminal", OK, "none: plain lines instead of the live display")
    if "utf" not in encoding:
        return Check("terminal", NOTE, f"encoding {encoding}", "set LANG=C.UTF-8 for bars and box lines")
    return Check("terminal", OK, f"{os.get_terminal_size().columns} columns, {encoding}")


def probe(backend: str) -> dict[str, Any]:
    """What :mod:`dmf_cli.cli._probe` reports; ``{"error": ...}`` when the import fails or hangs."""
    from dmf_cli.jobs.process import environment, python

    command = python("dmf_cli.cli._probe", backend)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_SECONDS, env=environment()
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {PROBE_SECONDS} s"}
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return {"error": lines[-1] if lines else f"ended with code {done.returncode}"}
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "log": done.stderr}


def backend_checks(backend: str, ask: Callable[[str], dict[str, Any]]) -> Iterator[Check]:
    """Does the backend import, and does it see the GPU that the machine has?"""
    probed = ask(backend)
    if "error" in probed:
        yield Check(
            "backend", PROBLEM, f"{backend}: {probed['error']}", f"pip install --force-reinstall {backend}"
        )
        return
    yield Check("backend", OK, f"{backend} {probed['version']} with keras {probed['keras']}")
    yield devices(backend, probed, machine.nvidia_driver(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def devices(backend: str, probed: dict[str, Any], driver: str, visible: str | None) -> Check:
    """Compare the GPUs that the backend sees with the driver of the machine."""
    if gpus := probed["gpus"]:
        share = "; trainer.devices=all trains on all of them" if len(gpus) > 1 and backend != "torch" else ""
        return Check("devices", OK, f"{', '.join(gpus)}; {driver or 'no nvidia-smi'}{share}")
    if not driver:
        return Check("devices", OK, "cpu (no NVIDIA driver on this machine)")
    if visible is not None and visible.strip() in ("", "-1"):
        return Check(
            "devices", NOTE, f"cpu; CUDA_VISIBLE_DEVICES={visible!r} hides the GPU", "unset it to use the GPU"
        )
    build = (
        f"{backend} is built for CUDA {probed['cuda']}"
        if probed["cuda"]
        else f"{backend} is built without CUDA"
    )
    extra = "gpu" if backend == "tensorflow" else backend
    do = f"for the CUDA libraries {hints.install(extra)}; if it stays, update the NVIDIA driver"
    return Check("devices", PROBLEM, f"{driver}, but no GPU is seen; {build}", do)


def _show(check: Check) -> None:
    colours = (
        {OK: "32", NOTE: "33", PROBLEM: "31"} if sys.stdout.isatty() and "NO_COLOR" not in os.environ else {}
    )
    state = f"{check.state:<7}"
    if check.state in colours:
        state = f"\033[{colours[check.state]}m{state}\033[0m"
    do = f"  -> {check.do}" if check.do else ""
    say(f"  {check.name:<20} {check.found}{do}", head=state)


def _conclude(results: list[Check], *, quiet: bool) -> int:
    broken = [check.name for check in results if check.state == PROBLEM]
    if not quiet:
        say("", f"{len(broken)} problem(s): {', '.join(broken)}" if broken else "ready: dmf train")
    return 1 if broken else 0
