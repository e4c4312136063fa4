"""The commands of ``dmf`` for Python, on the same objects: see :mod:`dmf_cli`."""
