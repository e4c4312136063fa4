"""Arrays of PyTorch's files, and what such a file may not do."""

import collections
import pickle

import numpy as np
import pytest

from dmf_cli.models import _torch_file
from dmf_cli.models._torch_file import read_arrays
from tests.models.torch_files import Call, Storage, fake_torch, tensor, write


@pytest.fixture
def torch(monkeypatch):
    return fake_torch(monkeypatch)


@pytest.fixture
def numbers():
    return Storage("1", np.arange(24, dtype="float32"))


def test_tensors_are_read_by_name_shape_and_strides(torch, numbers, tmp_path):
    tensors = collections.OrderedDict(
        whole=tensor(torch, numbers, (2, 3, 4), (12, 4, 1)),
        turned=tensor(torch, numbers, (4, 3), (1, 4), offset=12),
        one=tensor(torch, numbers, (), (), offset=23),
    )
    found = read_arrays(write(tmp_path / "a.pth", torch, tensors, [numbers]))
    assert list(found) == ["whole", "turned", "one"]
    np.testing.assert_array_equal(found["whole"], numbers.values.reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], numbers.values[12:].reshape(3, 4).T)
    assert found["one"] == 23.0
    found["whole"][:] = 0  # a copy
    assert found["turned"].max() == 23.0


def test_a_pickle_cannot_call_anything(torch, tmp_path):
    proof = tmp_path / "proof"
    file = write(tmp_path / "a.pth", torch, {"w": Call(open, str(proof), "w")}, [])
    with pytest.raises(ValueError, match=r"asks for .*open"):
        read_arrays(file)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((25,), (1,), 0),
        ((24,), (1,), 1),
        ((2,), (-1,), 1),
        ((-1,), (1,), 0),
        ((2, 2), (1,), 0),
        ((2,), (1,), -1),
    ],
)
def test_a_tensor_stays_within_its_numbers(torch, numbers, tmp_path, shape, strides, offset):
    tensors = {"w": tensor(torch, numbers, shape, strides, offset)}
    with pytest.raises(ValueError, match=r"reaches beyond|is shorter|is damaged"):
        read_arrays(write(tmp_path / "a.pth", torch, tensors, [numbers]))


def test_what_is_no_whole_file_of_tensors_is_refused(torch, numbers, tmp_path, monkeypatch):
    good = write(tmp_path / "a.pth", torch, {"w": tensor(torch, numbers, (24,), (1,))}, [numbers])
    data = good.read_bytes()
    for name, content in {
        "empty": b"",
        "text": b"no pickle",
        "other": pickle.dumps({"w": 1}, 2),
        "pickles": data[:150],
        "numbers": data[:-1],
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"^(is|asks|holds)"):
            read_arrays(tmp_path / name)
    for tensors, storages in (({"w": 1}, []), ({"w": tensor(torch, numbers, (24,), (1,))}, [])):
        with pytest.raises(ValueError, match=r"^(is|holds)"):
            read_arrays(write(tmp_path / "b.pth", torch, tensors, storages))
    longer = Storage("1", numbers.values, count=25)
    with pytest.raises(ValueError, match=r"is cut off"):
        read_arrays(write(tmp_path / "c.pth", torch, {"w": tensor(torch, longer, (24,), (1,))}, [longer]))
    with pytest.raises(ValueError, match=r"asks for torch.HalfStorage"):
        read_arrays(write(tmp_path / "d.pth", torch, {"w": numbers}, [], "HalfStorage"))
    monkeypatch.setattr(_torch_file, "LARGEST", len(data) - 1)
    with pytest.raises(ValueError, match=r"has [\d,]+ bytes, more than"):
        read_arrays(good)
