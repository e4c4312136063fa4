"""Files as PyTorch before 1.6 wrote them, without PyTorch."""

import collections
import pickle
import sys
import types

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    def __init__(self, key, values, count=None):
        self.key, self.values, self.count = key, values, count or values.size


class Call:
    """Pickled as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def fake_torch(monkeypatch):
    """Modules with the names that a pickle of PyTorch refers to."""

    def _rebuild_tensor_v2(*_):
        raise AssertionError("never called")

    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch._utils = _rebuild_tensor_v2, utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def tensor(torch, storage, shape, strides, offset=0):
    return Call(
        torch._utils._rebuild_tensor_v2, storage, offset, shape, strides, False, collections.OrderedDict()
    )


def write(path, torch, tensors, storages, kind="FloatStorage"):
    """A file with ``tensors`` by name, and the values of the ``storages`` behind them."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if isinstance(thing, Storage):
                return ("storage", getattr(torch, kind), thing.key, "cpu", thing.count, None)
            return None

    with path.open("wb") as file:
        for thing in (MAGIC, PROTOCOL, {"little_endian": True}):
            pickle.dump(thing, file, 2)
        Pickler(file, 2).dump(tensors)
        pickle.dump([storage.key for storage in storages], file, 2)
        for storage in storages:
            file.write(np.int64(storage.values.size).tobytes() + storage.values.tobytes())
    return path
