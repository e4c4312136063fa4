"""A process that forks jobs on a machine that has its limits: ``STUB_REFUSES`` says which."""

import errno
import itertools
import os
import sys

from dmf_cli.jobs import warm

calls, fork = itertools.count(1), os.fork


def refuse(*_):
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def second_refused():
    return refuse() if next(calls) == 2 else fork()


if __name__ == "__main__":
    if os.environ["STUB_REFUSES"] == "the second process":
        os.fork = second_refused
    else:
        os.setsid = refuse
    sys.exit(warm.main())
