"""``python -m dmf_cli`` is ``dmf``: nothing is imported from the working folder, which may be anybody's."""

import os
import sys
from pathlib import Path

if not sys.flags.safe_path and sys.path[0] == os.getcwd() != str(Path(__file__).parents[1]):  # noqa: PTH109
    del sys.path[0]

from dmf_cli.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
