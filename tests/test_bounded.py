"""What is read is of a kind, size, depth and expansion that makes sense; else it is one of two errors."""

import json
import os

import pytest
import yaml

from dmf_cli import bounded
from dmf_cli.run_folder import index

READERS = (bounded.read_bytes, bounded.read_text, bounded.read_json, bounded.read_yaml_text)


def bomb(levels=9, width=10):
    """A list of lists of lists ..., each an anchor that the next one repeats: ``width ** levels`` values."""
    lines = ["a0: &a0 [" + ",".join("x" * width) + "]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [" + ",".join([f"*a{level - 1}"] * width) + "]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("read", READERS)
def test_neither_a_pipe_nor_a_device_nor_a_folder_is_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(OSError, match=r"a pipe or a device|Is a directory"):
            read(path)


def test_a_pipe_that_somebody_writes_to_is_no_file_either(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    both = os.open(tmp_path / "pipe", os.O_RDWR)
    with pytest.raises(OSError, match="a pipe or a device"):
        bounded.read_json(tmp_path / "pipe")
    os.close(both)


def test_a_file_is_not_read_beyond_its_bound(tmp_path):
    file = tmp_path / "large"
    with file.open("wb") as stream:
        stream.truncate(bounded.MOST + 1)  # takes no space
    for read in READERS:
        with pytest.raises(OSError, match=r"bytes, and .* are read at most"):
            read(file)
    with bounded.opened(file) as stream:
        assert stream.read(2) == b"\0\0"


def test_what_is_right_is_read_as_by_python(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: \xc3\xa4\r")
    assert bounded.read_text(file, encoding="utf-8-sig") == file.read_text(encoding="utf-8-sig")
    with bounded.opened_text(file) as stream, file.open(encoding="utf-8", newline="") as other:
        assert stream.readlines() == other.readlines()
    file.write_text('{"a": [1, null]}')
    assert bounded.read_json(file) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 5000, "4300 digits"),
        ("{", "Expecting property name"),
        (b"\xff", "can't decode"),
    ],
)
def test_whatever_is_wrong_with_json_is_a_value_error(text, says):
    with pytest.raises(ValueError, match=says):
        bounded.parse_json(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb(), "more than 100,000 values"),
        ("[" * 100_000, "more than 50 levels"),
        ("- " * 60 + "x", "more than 50 levels"),
        ("a: &a [*a]", "holds itself"),
        ("a: &a\n  b: {<<: *a}", "holds itself"),
        ("a: *b", "not defined"),
        ("a: '" + "${f:" * 30 + "}" * 30 + "'", "in more than 24 places"),
        ("a: '${f:" + "[" * 60 + "'", "50 levels"),
        ("[" + "x," * 100_001 + "]", "more than 100,000 values"),
        ("a: &a ['${b}', '${b}']\nc: [" + "*a," * 20 + "]", "in more than 24 places"),
        ("a: ${b}\nb: " + "x" * 3000, "a text of 3,000 characters in line 2"),
    ],
)
def test_yaml_that_would_take_for_ever_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        bounded.check_yaml(text)


def test_usual_yaml_is_fine_anchors_and_all():
    bounded.check_yaml("a: &a {b: 1}\nc: *a\nd: {<<: *a, e: '${c.b}'}\n")
    bounded.check_yaml(bomb(levels=4))
    with pytest.raises(ValueError, match="has the tag"):
        bounded.check_yaml("a: !!python/object/apply:pathlib.Path [1]\n", tags=False)
    with pytest.raises(yaml.YAMLError):
        bounded.check_yaml("a: [\n")


def test_a_scalar_of_20_mb_is_not_parsed(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("a: " + "x" * 20_000_000)
    with pytest.raises(OSError, match="read at most"):
        bounded.read_yaml_text(file)


def test_json_that_this_package_writes_is_read(tmp_path):
    split = {"train": [f"image {i}" for i in range(1000)]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    assert bounded.read_json(tmp_path / "split.json") == split


def test_a_note_in_json_is_shorter_than_a_list_of_images(tmp_path):
    file = tmp_path / "status.json"
    file.write_text(json.dumps({"state": "completed", "message": "x" * bounded.MOST_NOTE}))
    with pytest.raises(OSError, match="4,194,304 are read at most"):
        bounded.read_json(file)
    assert bounded.read_json(file, most=bounded.MOST_SCORES)["state"] == "completed"
    assert index.read(tmp_path).status == {}


def test_a_table_that_is_one_endless_line_is_refused(tmp_path):
    file = tmp_path / "holes.csv"
    with file.open("wb") as made:
        made.truncate(100 * bounded.MB)
    with bounded.opened_text(file) as rows, pytest.raises(OSError, match="a line of more than"):
        next(rows)
