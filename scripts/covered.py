"""Say which share of the lines of `dmf_cli` the last `make test` ran; --missing lists the other lines.

Run: python scripts/covered.py [--missing]
"""

import itertools
import json
import sys
from pathlib import Path

MEASURED = Path(__file__).resolve().parent.parent / ".coverage.json"


def ranges(lines: list[int]) -> str:
    """``[3, 4, 5, 9]`` as ``3-5, 9``."""
    runs = itertools.groupby(enumerate(sorted(lines)), key=lambda pair: pair[1] - pair[0])
    ends = [(run[0][1], run[-1][1]) for run in (list(run) for _, run in runs)]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


def main() -> None:
    if not MEASURED.exists():
        raise SystemExit("nothing was measured yet: run `make test` first")
    found = json.loads(MEASURED.read_text())
    if "--missing" in sys.argv[1:]:
        for name, file in sorted(found["files"].items()):
            if file["missing_lines"]:
                share = file["summary"]["percent_covered"]
                print(f"{share:4.0f} %  {name}: {ranges(file['missing_lines'])}")
        return
    share = found["summary"]["percent_covered"]
    print(
        f"{share:.0f} % of the lines of dmf_cli ran in the process of a test; `make coverage` lists the rest"
    )


if __name__ == "__main__":
    main()
