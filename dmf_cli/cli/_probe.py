"""Run as ``python -m dmf_cli.cli._probe BACKEND``: import a backend and Keras, print what they see as JSON.

In a process of its own, because an import that crashes (a wrong CUDA library, an old processor) must not
take ``dmf doctor`` with it, and because the backend is fixed once Keras is imported.
"""

import importlib
import json
import os
import sys
from typing import Any

from dmf_cli.runtime import gpu_count
from dmf_cli.terminal.say import say_text


def probe(backend: str) -> dict[str, Any]:
    """Versions, devices and CUDA build of ``backend`` (``tensorflow``, ``jax`` or ``torch``)."""
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    module = importlib.import_module(backend)
    import keras

    cuda = ""
    if backend == "tensorflow":
        cuda = str(module.sysconfig.get_build_info().get("cuda_version", ""))
    elif backend == "torch":
        cuda = str(module.version.cuda or "")
    devices = [f"gpu:{i}" for i in range(gpu_count(backend))]
    return {"keras": keras.__version__, "version": module.__version__, "gpus": devices, "cuda": cuda}


if __name__ == "__main__":
    devices = probe(sys.argv[1])
    say_text("\n" + json.dumps(devices))
