"""In place of the timing of a config, for tests: what a process does is the dataset's name.

The answers are those of :mod:`dmf_cli.planning.timing`, whose loop this runs; nothing heavy is imported.
"""

import os
import signal
import sys

from dmf_cli.errors import ConfigError
from dmf_cli.planning import timing
from dmf_cli.planning.room import OutOfMemoryError
from dmf_cli.planning.settings import Speed


def measured(config, folder, imports):
    what = config.plain["dataset"]["name"]
    held = bytearray(config.plain["held"])  # touched, so that it counts
    held[::1024] = b"1" * len(held[::1024])
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "wrong":
        return ConfigError(key="dataset.name", value=what, allowed=["right"])
    if what == "full":
        return OutOfMemoryError("a setting ran out of memory")
    from dmf_cli.machine import peak_memory

    print("what a part of the user's prints")
    return Speed(imports, float(os.getpid()), float(os.getppid()), 0.0, 0.0, 0.0, peak_memory())


timing.forks = lambda config: "DMF_TEST_ALONE" not in os.environ
timing._measured = measured
timing._imported = lambda config: 7.0
sys.exit(timing.main())
