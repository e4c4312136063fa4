"""Arrays of a PyTorch file, read without PyTorch and without running what its pickle names.

A pickle can call any function of any package. Here it finds three names only, which stand for markers of
ours, so that a file that was tampered with is refused, not run.
"""

import collections
import io
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the form before PyTorch 1.6: pickles, then bytes
LARGEST = 2**30  # bytes of a file; nothing that is read is larger than its file
TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dictionary, saved by ``torch.save`` in the form before PyTorch 1.6, by name.

    Args:
        path: the ``.pth`` file.

    Raises:
        ValueError: it is damaged, too large, or holds anything but tensors of float32 and int64.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"has {size:,} bytes, more than {LARGEST:,}")
    stream = io.BytesIO(path.read_bytes())
    try:
        if _load(stream) != MAGIC or _load(stream) != PROTOCOL or not _load(stream)["little_endian"]:
            raise ValueError("is no file of PyTorch in the form that is read here")
        tensors, keys = _load(stream), _load(stream)
        if not isinstance(tensors, dict) or not all(isinstance(one, _Tensor) for one in tensors.values()):
            raise ValueError("holds more than tensors")
        storages = {one.storage.key: one.storage for one in tensors.values()}
        values = {key: _values(stream, storages[key]) for key in keys}
        return {str(name): one.array(values[one.storage.key]) for name, one in tensors.items()}
    except (pickle.UnpicklingError, EOFError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise ValueError(f"is damaged ({type(error).__name__}: {error})") from None


class _Storage:
    """A run of numbers, which lie behind the pickles."""

    def __init__(self, key: str, dtype: np.dtype, count: int):
        self.key, self.dtype, self.count = key, dtype, count


class _Tensor:
    """What ``torch._utils._rebuild_tensor_v2`` is called with."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: Any, *_: Any):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, tuple(strides)

    def array(self, values: np.ndarray) -> np.ndarray:
        """The tensor, copied out of the ``values`` of its storage."""
        steps = list(zip(self.shape, self.strides, strict=True))
        last = self.offset + sum((side - 1) * stride for side, stride in steps)
        inside = 0 <= self.offset <= last < values.size
        if not inside or any(side < 1 or stride < 0 for side, stride in steps):
            raise ValueError("holds a tensor that reaches beyond its numbers")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


class _Reader(pickle.Unpickler):
    """An unpickler that finds names of tensors only."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise ValueError(f"asks for {module}.{name}, which no file of tensors needs")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(count, int):
            raise ValueError("holds a reference to something that is no storage")
        return _Storage(str(key), dtype, count)


def _load(stream: BinaryIO) -> Any:
    return _Reader(stream).load()


def _values(stream: BinaryIO, storage: _Storage) -> np.ndarray:
    """The next storage: its number of values, then these."""
    count = int.from_bytes(stream.read(8), "little")
    data = stream.read(count * storage.dtype.itemsize) if count == storage.count else b""
    if count != storage.count or len(data) != count * storage.dtype.itemsize:
        raise ValueError("is cut off, or its numbers do not match their description")
    return np.frombuffer(data, storage.dtype)
