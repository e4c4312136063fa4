"""The weights that ``model.weights`` names: a run's best network, or a file."""

from pathlib import Path

from dmf_cli import hashes
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.run_folder import places, stored_config
from dmf_cli.run_folder.folder import RunFolder

KEY = "model.weights"


def weights_file(source: str | Path) -> Path:
    """The network's file: of a run its best one, or a ``.keras`` file itself.

    Raises:
        ConfigError: there is none, or the run's config was edited.
    """
    path = Path(source).expanduser()
    if path.is_file() and path.suffix == ".keras":
        return path
    if not places.is_run(path):
        raise ConfigError(
            key=KEY, value=source, allowed="a run folder or a .keras file", hint=str(places.no_run(path))
        )
    try:
        stored_config.load_run(path)  # edited, it says nothing of where the weights come from
    except RunFolderError as error:
        raise ConfigError(key=KEY, value=source, hint=str(error)) from None
    best = RunFolder(path).best_model
    if not best.is_file():
        raise ConfigError(key=KEY, value=source, hint=f"the run has no network yet ({best} is missing)")
    return best


def content(source: str | Path) -> str:
    """A hash of the weights: a run that starts from them is known by what they are, not by where."""
    return hashes.of_file(weights_file(source))[:16]
