"""Run by the installed Python: commands of ``dmf`` one after the other, unpatched, in one process.

``driver.py COMMANDS.json RESULTS.json [--undrawn]``: TensorFlow is imported once for all of them. Undrawn,
the figures of a run are composed, and a picture of one pixel is written for each.
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path

from dmf_cli.cli.main import main
from dmf_cli.config import compose


def run(words: list[str]) -> int:
    if words[0] == "compose":  # no command: what `dmf train --cfg job` does, for many configs
        compose(words[1:])
        return 0
    try:
        return main(words)
    except SystemExit as left:  # --help
        return int(left.code or 0)


def measured(words: list[str]) -> dict[str, object]:
    out, err, began = io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(words)
        except Exception as error:
            code = 1
            err.write(f"error: unexpected {type(error).__name__}: {error}")
    seconds = time.monotonic() - began
    return {"words": words, "code": code, "out": out.getvalue(), "err": err.getvalue(), "seconds": seconds}


def undrawn() -> None:
    from PIL import Image

    from dmf_cli.figures import style

    style.save = lambda path, figure: Image.new("L", (1, 1)).save(path, "png")  # a fifth of a tiny run


if __name__ == "__main__":
    if "--undrawn" in sys.argv:
        undrawn()
    found = [measured(words) for words in json.loads(Path(sys.argv[1]).read_text())]
    Path(sys.argv[2]).write_text(json.dumps(found))
