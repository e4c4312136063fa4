"""A dataset is opened without what the libraries below it say of themselves."""

import sys

from dmf_cli import datasets
from dmf_cli.config import dataset_schema

OWN = dataset_schema.Dataset(name="a", kind="own", image_size=8, resize="stretch", normalize="unit")


def test_a_library_greets_nobody(tmp_path, monkeypatch, capfd):
    """As TensorFlow does, past `sys.stderr`; `dmf data show` printed it before the counts."""
    (tmp_path / "greets.py").write_text(
        "import os\nos.write(2, b'half a page of CUDA')\ndef opened(dataset):\n    return 'a dataset'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(datasets, "KINDS", {"own": ("greets", "opened")})
    monkeypatch.delenv("DMF_DEBUG", raising=False)
    assert datasets.open_dataset(OWN) == "a dataset"
    assert capfd.readouterr().err == ""
    monkeypatch.delitem(sys.modules, "greets")
    monkeypatch.setenv("DMF_DEBUG", "1")
    datasets.open_dataset(OWN)
    assert capfd.readouterr().err == "half a page of CUDA"
