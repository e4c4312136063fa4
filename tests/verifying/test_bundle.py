"""An archive of runs for others: deterministic, without places, read safely, compared with its manifest."""

import json
import shutil
import stat
import zipfile

import pytest

import dmf_cli
from dmf_cli.cli.main import main
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.run_folder import stored_config
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.verifying import bundle, contents, unpack, verify_bundle
from tests.raised import raises


@pytest.fixture(scope="session")
def archive(trained, tmp_path_factory):
    """The archive of one run."""
    return bundle.write([trained], tmp_path_factory.mktemp("bundles") / "paper.zip").path


@pytest.fixture
def changed(archive, tmp_path):
    """``changed({"NAME": b"...", "OTHER": None})``: the archive with other files, or without one."""

    def write(files, manifest=None):
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
            held = {name: old.read(name) for name in old.namelist()}
            if manifest is not None:
                said = json.loads(held[bundle.MANIFEST])
                manifest(said)
                held[bundle.MANIFEST] = json.dumps(said).encode()
            for name, content in {**held, **files}.items():
                if content is not None:
                    new.writestr(name, content)
        return path

    return write


def unpacked(path, tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return unpack.unpack(path, folder)


def test_the_same_runs_give_the_same_bytes_and_no_image(trained, archive, tmp_path):
    again = bundle.write([trained], tmp_path / "again.zip")
    assert again.path.read_bytes() == archive.read_bytes()
    names = zipfile.ZipFile(archive).namelist()
    assert again.files == len(names) - 1
    needed = ("config.yaml", "split.json", "steps.csv", "environment.json", "metrics/test_per_image.csv")
    assert {f"runs/tiny/{name}" for name in needed} <= set(names)
    assert not [name for name in names if name.endswith((".png", ".keras", ".npz", ".log", ".html"))]
    with raises(ConfigError, key="--output"):
        bundle.write([trained], archive)


def test_no_place_of_this_machine_is_in_it(trained, archive):
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            assert str(trained.parent).encode() not in opened.read(name), name
        status = json.loads(opened.read("runs/tiny/status.json"))
    assert not {"pid", "host"} & set(status)
    assert status["id"] == json.loads((trained / "status.json").read_text())["id"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dataset.dir=/data/ann/busi", "dataset.dir=busi"),
        ("in /data/ann/x.png: bad", "in x.png: bad"),
        ("~/runs/a", "a"),
        ("https://a.org/b/c", "https://a.org/b/c"),
        ("runs/a 3/4", "runs/a 3/4"),
    ],
)
def test_of_a_path_its_last_part_is_left(text, expected):
    assert contents.without_folders(text) == expected


def test_words_of_a_command_lose_paths_with_spaces_and_trackers():
    command = "dmf train 'dataset.dir=/data/ann smith/busi' tracker.uri=https://ann:secret@host/x seed=1"
    kept = contents._environment({"command": command})["command"]
    assert kept == "dmf train dataset.dir=busi tracker.uri=... seed=1"


def test_what_still_names_a_place_is_said(trained, tmp_path):
    config = stored_config.load_run(trained).changed("model", weights="/data/ann/old")
    config = config.changed("split", file="/data/ann/split.json")
    assert contents.absolute(config) == ["model.weights"]
    assert contents.without_places(config).split.file == "split.json"


def test_two_runs_of_one_name_are_apart_and_a_folder_stands_for_its_runs(trained, tmp_path):
    for place in ("a/tiny", "b/tiny"):
        shutil.copytree(trained, tmp_path / place)
    made = dmf_cli.bundle([tmp_path / "a", tmp_path / "b/tiny"], tmp_path / "both.zip", weights=True)
    assert made.runs == ("tiny", "tiny_2")
    names = zipfile.ZipFile(made.path).namelist()
    assert {"runs/tiny/checkpoints/best.keras", "runs/tiny_2/checkpoints/best.keras"} <= set(names)
    assert verify_bundle.verify_bundle(made.path, hashes_only=True).equal
    with raises(RunFolderError):
        bundle.write([tmp_path / "none"], tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


def test_an_archive_is_verified_and_its_runs_repeat(archive, capsys):
    """Without the network, whose hash is in the manifest."""
    found = dmf_cli.verify(archive)
    assert (found.equal, found.difference, found.skipped) == (True, None, ())
    assert [(str(one.path), one.bitwise) for one in found.runs] == [("tiny", True)]
    assert "the weights of the best network" in found.runs[0].compared
    assert main(["verify", str(archive), "--hashes"]) == 0


def test_one_run_that_cannot_be_verified_does_not_hide_the_others(trained, tmp_path, repeated):
    other = shutil.copytree(trained, tmp_path / "a")
    RunFolder(other).write_status("interrupted")
    both = bundle.write([other, trained], tmp_path / "both.zip").path
    found = verify_bundle.verify_bundle(both)
    assert [str(one.path) for one in found.runs] == ["tiny"]
    assert [why.partition(":")[0] for why in found.skipped] == ["a"]
    with raises(ConfigError, key="--steps"):
        verify_bundle.verify_bundle(both, steps=999)


def test_a_run_whose_images_are_elsewhere_is_not_trained(tmp_path, trained):
    run = shutil.copytree(trained, tmp_path / "extended")
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "parent": {"path": "/data/ann/first"}}))
    made = bundle.write([run], tmp_path / "extended.zip").path
    found = verify_bundle.verify_bundle(made)
    assert (found.equal, found.runs, len(found.skipped)) == (True, (), 1)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"runs/tiny/steps.csv": b"step\n"}, "runs/tiny/steps.csv"),
        ({"runs/tiny/steps.csv": None}, "runs/tiny/steps.csv"),
        ({"runs/tiny/more.csv": b""}, "runs/tiny/more.csv"),
    ],
)
def test_a_file_that_is_not_as_the_manifest_says_is_named(changed, tmp_path, files, name, capsys):
    path = changed(files)
    found = unpacked(path, tmp_path).difference
    assert (found.kind, found.name) == ("file", name)
    assert main(["verify", str(path)]) == 1
    assert name in capsys.readouterr().out


def test_a_damaged_file_is_named(archive, tmp_path):
    content, path = bytearray(archive.read_bytes()), tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive) as opened:
        entry = opened.getinfo("runs/tiny/split.json")
    content[entry.header_offset + 30 + len(entry.filename) + 10] ^= 0xFF
    path.write_bytes(content)
    assert unpacked(path, tmp_path).difference.name == "runs/tiny/split.json"


@pytest.mark.parametrize(
    "name", ["../x.csv", "/x.csv", "runs/a/../../../x.csv", "runs\\a\\x", "runs/tiny/./x", "other/a/x", "x"]
)
def test_a_name_that_leads_elsewhere_is_refused(changed, tmp_path, name):
    path = changed({name: b"x"})
    with raises(RunFolderError, path=path):
        unpacked(path, tmp_path)
    assert list((tmp_path / "unpacked").iterdir()) == []
    assert main(["verify", str(path)]) == 2


def test_links_doubles_and_too_much_are_refused(archive, tmp_path, monkeypatch):
    link = zipfile.ZipInfo("runs/tiny/link.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for number, entry in enumerate((link, "runs/tiny/steps.csv")):
        path = shutil.copy(archive, tmp_path / f"{number}.zip")
        with zipfile.ZipFile(path, "a") as opened, pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            opened.writestr(entry, "/etc/passwd")
        with raises(RunFolderError, path=path):
            unpack.unpack(path, tmp_path)
    path = shutil.copy(archive, tmp_path / "packed.zip")
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr("runs/tiny/more.csv", "a", zipfile.ZIP_LZMA)
    with raises(RunFolderError, path=path):
        unpack.unpack(path, tmp_path)
    monkeypatch.setattr(unpack, "MOST_BYTES", 1000)
    with raises(RunFolderError, path=archive):
        unpack.unpack(archive, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(format=2),
        lambda said: said.update(files=[]),
        lambda said: said.update(runs=None),
        lambda said: said["runs"].update({"../up": {}}),
        lambda said: said["runs"].update(tiny=5),
        lambda said: said["runs"]["tiny"].update(weights=[1]),
        lambda said: said["files"].update({"runs/tiny/steps.csv": "short"}),
        lambda said: said["files"].update({"runs/other/steps.csv": "0" * 64}),
    ],
)
def test_a_manifest_of_another_kind_is_refused(changed, tmp_path, change):
    path = changed({}, change)
    with raises(RunFolderError, path=path):
        unpacked(path, tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\5\6" + bytes(18)])
def test_what_is_no_archive_of_ours_is_refused(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with raises(RunFolderError, path=path):
        unpacked(path, tmp_path)


def test_without_a_name_the_archive_is_called_as_the_run_and_is_here(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["bundle", str(trained)]) == 0
    assert "wrote tiny.zip" in capsys.readouterr().out
    before = (tmp_path / "tiny.zip").read_bytes()
    assert main(["bundle", str(trained)]) == 2  # it is never overwritten
    assert main(["bundle", str(trained), str(trained)]) == 2
    assert "--output" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.zip"]
    assert (tmp_path / "tiny.zip").read_bytes() == before
