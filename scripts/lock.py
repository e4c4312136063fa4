"""Write requirements.lock: the exact versions of everything that the package, `dev` and `docs` need.

Run: make lock

pip itself resolves, through whatever registry it is set up for, and reports as JSON what it would
install: so no other tool is needed, and no address gets into the file.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Every package of dmf and of its `dev` and `docs` extras, with the exact version that the tests ran with.
# Written by `make lock` with Python {python}; do not edit. Install with it:
#     pip install -c requirements.lock -e ".[dev]"
"""


def resolve(requirement: str) -> dict[str, str]:
    """Name and version of each package that a fresh installation of ``requirement`` brings."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    done = subprocess.run(
        [*command, "--report", "-", requirement], cwd=ROOT, check=True, capture_output=True, text=True
    )
    # pip may print warnings before the JSON.
    report = json.loads(done.stdout[done.stdout.index("{\n") :])
    found = [item["metadata"] for item in report["install"]]
    return {m["name"].lower().replace("_", "-"): m["version"] for m in found if m["name"] != "dmf-cli"}


def main() -> None:
    pins = resolve(".[dev,docs]")
    python = ".".join(map(str, sys.version_info[:2]))
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
    (ROOT / "requirements.lock").write_text(HEADER.format(python=python) + "".join(lines), encoding="utf-8")
    print(f"requirements.lock: {len(lines)} packages")


if __name__ == "__main__":
    main()
