"""Bad inputs, and whether each is answered in one line that names it, with exit code 1 or 2.

    python scripts/bad_inputs.py [KIND ...]          (kinds: the first word of what it prints)

Configs, overrides, YAML files, runs, checkpoints, networks, images, masks, tables, plugins and commands, from
the tables of tests/bad_inputs. Each is given to the command or the function that reads such a thing, in this
process and in a folder of its own. Prints counts by kind, and each input that was answered badly: with a
traceback, with more than a line, without the name of what is wrong, after a minute, with a file changed, or
not at all. Exit code 1 if there is one.
"""

import argparse
import collections
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.bad_inputs import answer, commands, configs, files, plugins, runs, values

TABLES = (commands, configs, files, plugins, runs, values)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="such as image or override; default: all")
    wanted = parser.parse_args().kinds
    given, bad = collections.Counter[str](), collections.Counter[str]()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        os.environ |= {"DMF_CACHE": f"{root}/cache", "COLUMNS": "400", "TF_CPP_MIN_LOG_LEVEL": "3"}
        for number, case in enumerate(case for table in TABLES for case in table.cases()):
            if wanted and case.kind.split()[0] not in wanted:
                continue
            folder = Path(root, str(number))
            folder.mkdir()
            given[case.kind] += 1
            if wrong := answer.fault(case, folder):
                bad[case.kind] += 1
                print(f"BAD {case.kind} {case.name!r}: {wrong}", flush=True)
    for kind, count in given.items():
        print(f"{kind:<22} {count:>6} inputs {bad[kind]:>4} answered badly")
    took = time.monotonic() - began
    print(f"{'all':<22} {given.total():>6} inputs {bad.total():>4} answered badly, {took:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
