"""The scores that a run has of itself, which those of another network never take the place of."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli.errors import ConfigError
from dmf_cli.inference import kept_choices
from dmf_cli.inference.ensemble import Member
from dmf_cli.run_folder import index, places


def check_output(paths: Sequence[Path], output: Path) -> None:
    """Whether the scores of the runs ``paths`` may go to ``output``.

    Raises:
        ConfigError: it is a run, and another one than the only one of ``paths``.
    """
    if places.is_run(output) and [path.resolve() for path in paths] != [output.resolve()]:
        reason = "is a run, which keeps its own scores"
        raise ConfigError(key="-o", value=output, reason=reason, hint="give another folder")


def kept_apart(member: Member, name: str, output: Path) -> str:
    """What scores are called in ``output``: ``name``, or that with the hash of the network.

    The latter in a run that is at work, or whose best network is another one by now: what it has, or will
    have, under ``name`` are the scores of that one.

    Args:
        member: whose network was scored.
        name: what the run calls such scores.
        output: the folder that they go to.
    """
    if member.content is None or output.resolve() != member.run.path.resolve():
        return name
    network = kept_choices.short(member.content)
    is_best = kept_choices.network_hash([member.run.best_model]) == network
    if is_best and index.read(member.run.path).state != "running":
        return name
    return f"{name.removesuffix(_suffix(network))}{_suffix(network)}"


def _suffix(network: str) -> str:
    return f"_network={network}"
