"""The process of a launcher that works here: ``python -m dmf_cli.sweeps.launcher FILE_DESCRIPTOR``.

It is in a session of its own, with all the workers that the launcher starts, so that Ctrl-C in the terminal
reaches the sweep only: joblib and submitit answer it by killing their workers, with a traceback.
"""

import os
import pickle
import sys


def main() -> int:
    """Launch what the standard input says, and write what became of it, or a ``DmfError``, to the file."""
    from dmf_cli.errors import DmfError
    from dmf_cli.sweeps import launch

    answer: launch.Returns | DmfError
    try:
        answer = launch.through_hydra(*pickle.load(sys.stdin.buffer))
    except DmfError as error:
        answer = error
    with os.fdopen(int(sys.argv[1]), "wb") as file:
        pickle.dump(answer, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
