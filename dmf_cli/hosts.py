"""Several hosts for one run, with JAX: each runs the same command, and the first one has the run's folder.

All of them make the same batches, and each computes on its part of them. Every value of the network is on
each host, so the others need nothing of the first one but its sums, and leave nothing behind. What they have
to agree on goes through connections of :mod:`dmf_cli.host_links`. Imports JAX inside functions only.
"""

import atexit
import contextlib
import os
import re
from collections.abc import Iterator, Sequence

from dmf_cli import hints, host_links, machine
from dmf_cli.config.schema import Trainer
from dmf_cli.errors import ConfigError, DmfError, RunError
from dmf_cli.hashes import digest
from dmf_cli.quiet import quiet

NUMBER = "DMF_HOST"  # variable with the number of this host, from 0, where no scheduler says it
COORDINATOR = "JAX_COORDINATOR_ADDRESS"  # variable with HOST:PORT of the first one
# Of schedulers: how many processes of this run each machine has.
TASKS = ("SLURM_STEP_TASKS_PER_NODE", "OMPI_COMM_WORLD_LOCAL_SIZE")
EVERY = 10  # steps between two looks at what the other hosts want
PATIENCE = 300  # seconds in which all hosts have to come

_links: host_links.Links | None = None


def join(trainer: Trainer) -> None:
    """Meet the other hosts; before JAX looks for devices.

    Raises:
        ConfigError: another backend, other devices, or hosts that do not find each other.
        KeyboardInterrupt: the command was asked to end before all were there.
    """
    global _links
    if trainer.hosts == 1 or _links is not None:
        return
    _check(trainer)
    gpus = 0 if trainer.device == "cpu" else machine.gpus()
    if gpus and NUMBER not in os.environ:
        _check_alone_here()
    address, number = _place(trainer)
    try:
        _links = host_links.Links.of(address, number, trainer.hosts, PATIENCE)
        atexit.register(leave)
        with quiet():
            _start_jax(address, number, trainer.hosts, gpus)
    except (ValueError, RuntimeError, OSError) as error:
        leave()
        raise _not_found(trainer, (str(error) or type(error).__name__).splitlines()[0]) from error
    except (AttributeError, TypeError) as error:
        leave()
        raise ConfigError(
            key="trainer.hosts",
            value=trainer.hosts,
            reason=f"which this version of JAX cannot do ({error})",
            hint=hints.install("jax"),
        ) from error


def check_alone(trainer: Trainer) -> None:
    """What is not one training, on its own, has one host.

    Raises:
        ConfigError: it is to have several.
    """
    if trainer.hosts > 1:
        raise ConfigError(
            key="trainer.hosts",
            value=trainer.hosts,
            reason="which only `dmf train` of one run and `dmf resume` can bring together",
            hint="use trainer.hosts=1",
        )


def _check(trainer: Trainer) -> None:
    hosts = trainer.hosts
    if trainer.backend != "jax":
        reason = f"and the backend {trainer.backend} uses one host"
        hint = "use trainer.backend=jax, or trainer.hosts=1"
        raise ConfigError(key="trainer.hosts", value=hosts, reason=reason, hint=hint)
    if trainer.devices != "all":
        reason = f"and trainer.devices is {trainer.devices}"
        raise ConfigError(key="trainer.hosts", value=hosts, reason=reason, hint="use trainer.devices=all")
    if trainer.precision == "auto":
        reason, hint = "which each host would try for itself", "type one that `auto` takes on one host"
        raise ConfigError(key="trainer.precision", value="auto", reason=reason, hint=hint)
    number, address = os.environ.get(NUMBER), os.environ.get(COORDINATOR)
    if number is not None and number not in map(str, range(hosts)):
        reason = f"and trainer.hosts is {hosts}"
        raise ConfigError(key=NUMBER, value=number, reason=reason, allowed=f"0 to {hosts - 1}")
    host, _, port = (address or "").rpartition(":")
    if number is not None and not (host and port.isdecimal() and 0 < int(port) < 2**16):
        allowed = "HOST:PORT of the first host, with any free port"
        raise ConfigError(key=COORDINATOR, value=address, allowed=allowed)


def _check_alone_here() -> None:
    """A host uses all GPUs that it sees, so that a second process on the machine would use the same."""
    for name in TASKS:
        tasks = os.environ.get(name, "1")
        if not re.fullmatch(r"1(\(x\d+\))?", tasks):
            hint = "start one on each, as by `srun --ntasks-per-node=1`"
            raise ConfigError(key=name, value=tasks, reason="which are processes on one machine", hint=hint)


def _place(trainer: Trainer) -> tuple[str, int]:
    """HOST:PORT of the first host, and the number of this one, as the user or the scheduler says."""
    if NUMBER in os.environ:
        return os.environ[COORDINATOR], int(os.environ[NUMBER])
    from jax._src.clusters import ClusterEnv  # there is no public way to what `initialize` finds out

    address, started, number, _ = ClusterEnv.auto_detect_unset_distributed_params(
        os.environ.get(COORDINATOR), None, None, [], None, PATIENCE
    )
    if address is None or started is None or number is None:
        raise _not_found(trainer, "no scheduler says who they are")
    if started != trainer.hosts:
        reason = f"and {started} were started"
        raise ConfigError(key="trainer.hosts", value=trainer.hosts, reason=reason)
    return address, number


def _not_found(trainer: Trainer, why: str) -> ConfigError:
    return ConfigError(
        key="trainer.hosts",
        value=trainer.hosts,
        reason=f"and they do not find each other ({why})",
        hint=f"start each by srun or mpirun, or with {COORDINATOR}=HOST:PORT and {NUMBER}=0, 1, ...",
    )


def _start_jax(address: str, number: int, hosts: int, gpus: int) -> None:
    import jax
    from jax.experimental import multihost_utils

    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself
    jax.config.update("jax_enable_recoverability", True)  # else the end of one host aborts the others
    part = {}
    if gpus:
        # Else what the first host compiles alone, to score, waits for its part of the tuning from others.
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_shard_autotuning=false"
        part = {"local_device_ids": list(range(gpus))}  # JAX takes one for a process of a scheduler
    jax.distributed.initialize(
        address,
        hosts,
        number,
        cluster_detection_method="deactivate",
        shutdown_timeout_seconds=host_links.GRACE,
        **part,
    )
    multihost_utils.sync_global_devices("dmf")  # the first exchange prints how many are connected


def count() -> int:
    """How many hosts train together now; 1 before :func:`join` and after :func:`leave`."""
    return 1 if _links is None else _links.count


def number() -> int:
    """Which of them this is, from 0."""
    return 0 if _links is None else _links.number


def agreed(wishes: Sequence[int]) -> list[int]:
    """The maximum over all hosts of each of ``wishes``, 0 to 255. Waits until every host has asked.

    Raises:
        RunError: another host has ended.
    """
    return [max(of_hosts) for of_hosts in zip(*_gathered(bytes(wishes)), strict=True)]


def check_same(text: str, what: str) -> None:
    """Wait for the other hosts here, and compare what they are about to do.

    Args:
        text: must be the same on each host.
        what: they do together, for the message: "train the same run".

    Raises:
        ConfigError: ``text`` is another one there.
        RunError: another host has ended.
    """
    if len(set(_gathered(digest(text, 32).encode()))) > 1:
        hint = "give each the same command, files and version of dmf"
        raise ConfigError(key="trainer.hosts", value=count(), reason=f"and they do not {what}", hint=hint)


def meet() -> None:
    """Wait until every host is here.

    Raises:
        RunError: another host has ended.
    """
    agreed([])


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Inside the hosts train; afterwards each is alone.

    Raises:
        RunError: another host has ended before all were through.
    """
    try:
        with _explained():
            yield
        meet()
    finally:
        leave()


@contextlib.contextmanager
def left_on_error() -> Iterator[None]:
    """After an error inside this host is alone."""
    try:
        yield
    except BaseException:
        leave()
        raise


def leave() -> None:
    """The hosts need each other no more, or cannot go on. The first one leaves when the others have left."""
    global _links
    links, _links = _links, None
    if links is not None:
        links.close(_stop_jax)


def _gathered(part: bytes) -> list[bytes]:
    """``part`` of each host."""
    if _links is None:
        return [part]
    try:
        return _links.gathered(part)
    except OSError as error:
        raise RunError(host_links.ENDED) from error


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What another host has to do with an error of JAX inside shows when its connection closes."""
    try:
        yield
    except DmfError:
        raise
    except (RuntimeError, ValueError) as error:  # Keras makes a ValueError of some
        if _links is not None and _links.ended.wait(1):
            raise RunError(host_links.ENDED) from error
        raise


def _stop_jax() -> None:
    import jax

    with contextlib.suppress(RuntimeError):  # one of the hosts is gone
        jax.distributed.shutdown()
