"""``python -m dmf_cli`` is ``dmf``."""

import sys

from dmf_cli.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
