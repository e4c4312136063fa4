"""Archives are unpacked safely, and a dataset appears whole or not at all."""

import io
import multiprocessing
import stat
import subprocess
import sys
import time
import zipfile

import pytest

from dmf_cli import config as configs
from dmf_cli.cli.main import main
from dmf_cli.config import typed
from dmf_cli.datasets.fetch import archives, install
from dmf_cli.errors import ConfigError, DatasetError, DownloadError
from tests.datasets.fetch.layouts import buid, bus_bra, image
from tests.raised import raises


def zipped(root, inside=""):
    """The bytes of a zip of ``root``, under the folder ``inside``, with what macOS adds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(p for p in root.rglob("*") if p.is_file()):
            archive.write(file, f"{inside}{file.relative_to(root)}")
            archive.writestr(f"__MACOSX/{inside}._{file.name}", "")
    return buffer.getvalue()


def config_of(name, target, **download):
    config = configs.compose([f"dataset={name}", f"dataset.dir={target}"]).plain["dataset"]
    return typed.dataset({**config, "download": {**config["download"], **download}})


@pytest.fixture
def served(server, tmp_path):
    bus_bra(tmp_path / "made")
    server.content = zipped(tmp_path / "made", "BUSBRA/")
    return server


def test_a_dataset_is_downloaded_unpacked_and_opened(served, tmp_path):
    lines, target = [], tmp_path / "new" / "busbra"
    config = config_of("bus_bra", target, urls=[served.url], sha256=[None])
    found = install.prepare_folder(config, tell=lines.append)
    assert found.groups == ("1", "1", "2")
    assert sorted(p.name for p in target.iterdir()) == ["Images", "Masks", "bus_data.csv"]
    assert [p.name for p in target.parent.iterdir()] == ["busbra"]  # nothing else is left behind
    assert "CC BY 4.0" in lines[0]
    assert "(not verified)" in lines[1]
    install.prepare_folder(config)
    assert len(served.seen) == 1  # it is there


def _prepare(url_and_target):
    url, target = url_and_target
    return len(install.prepare_folder(config_of("bus_bra", target, urls=[url], sha256=[None])))


def test_two_processes_at_once_get_one_dataset(served, tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_prepare, [(served.url, tmp_path / "busbra")] * 2) == [3, 3]
    assert len(served.seen) == 1


def test_a_failure_leaves_no_dataset_and_names_the_other_way(served, tmp_path):
    target = tmp_path / "busbra"
    with raises(DownloadError, path=served.url, hint="or get it from https://zenodo.org") as caught:
        install.prepare_folder(config_of("bus_bra", target, urls=[served.url], sha256=["0" * 64]))
    assert str(caught.value).endswith(" --archive FILE.zip`")
    served.plan = [404]
    with raises(DownloadError, path=served.url, reason="answered 404", hint="or get it from"):
        install.prepare_folder(config_of("bus_bra", target, urls=[served.url], sha256=[None]))
    assert not target.exists()
    (tmp_path / "file").write_text("")
    with raises(DownloadError, what="cannot write"):
        install.prepare_folder(config_of("bus_bra", tmp_path / "file/x", urls=[served.url], sha256=[None]))


def test_what_does_not_fit_the_patterns_is_reported_and_not_installed(tmp_path):
    bus_bra(tmp_path / "made")
    (tmp_path / "made/Masks/mask_0001-l.png").unlink()
    for name, says in (("bus_bra", "mask_0001-l.png"), ("buid", "no file fits dataset.images")):
        (tmp_path / "a.zip").write_bytes(zipped(tmp_path / "made", "x/"))
        with raises(DatasetError, what=f"the unpacked files are not those of {name}: ") as caught:
            install.prepare_folder(config_of(name, tmp_path / name), [tmp_path / "a.zip"])
        assert says in str(caught.value)
        assert not (tmp_path / name).exists()


def test_archives_from_a_browser_are_unpacked_together(tmp_path, capsys):
    buid(tmp_path / "made")
    given = []
    for stratum in ("Benign", "Malignant"):
        file = tmp_path / f"{stratum}.zip"
        file.write_bytes(zipped(tmp_path / "made" / stratum, f"{stratum}/"))
        given += ["--archive", str(file)]
    command = ["data", "prepare", "dataset=buid", f"dataset.dir={tmp_path / 'buid'}"]
    assert main([*command, *given]) == 0
    assert "buid: 4 images, background, lesion" in capsys.readouterr().out
    assert main(command) == 0
    assert main([*command, *given]) == 2
    assert "is there already" in capsys.readouterr().err


def test_one_that_no_program_can_get_is_explained_in_three_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path))
    assert main(["data", "prepare", "dataset=udiat"]) == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == 3
    assert err == ""
    assert "https://helward.mmu.ac.uk" in out
    assert f"{tmp_path / 'datasets' / 'udiat'} holds original/*.png and GT/{{stem}}.png" in out
    assert main(["data", "prepare", "dataset=phantom", "--archive", "x.zip"]) == 2
    assert "does not come in archives" in capsys.readouterr().err


def test_prepare_makes_what_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path))
    assert main(["data", "prepare", "dataset=phantom", "dataset.size=16", "dataset.count=3"]) == 0
    assert "phantom: 3 images" in capsys.readouterr().out
    assert (tmp_path / "breast_phantom").is_dir()


def test_an_interruption_says_that_nothing_is_lost(served, tmp_path, monkeypatch, capsys):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "fetch", interrupt)
    assert main(["data", "prepare", "dataset=bus_bra", f"dataset.dir={tmp_path / 'x'}"]) == 130
    assert "is kept: run the command again" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["urls", "sha256"])
@pytest.mark.parametrize("value", [None, "https://x", [1]])
def test_a_download_that_is_no_list_is_reported(tmp_path, key, value):
    with raises(ConfigError, key=f"dataset.download.{key}", value=value, allowed="a list"):
        install.prepare_folder(config_of("bus_bra", tmp_path / "x", **{key: value}))


def archive_of(path, *members, **options):
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"x" * 100)
    return path


def link(name):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "name", ["../x.png", "/x.png", "a/../../x.png", "..\\x.png", "c:/x.png", link("x.png")]
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    archive = archive_of(tmp_path / "a.zip", "good.png", name)
    (tmp_path / "out").mkdir()
    with raises(DownloadError, path=archive, hint="do not use it"):
        archives.unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_archive_is_reported_wherever_it_is_cut(tmp_path):
    whole = archive_of(tmp_path / "a.zip", "a.png", "b.png").read_bytes()
    (tmp_path / "out").mkdir()
    damaged = [
        b"",
        b"<html>please log in</html>",
        whole[:-1],
        whole[:60],
        whole.replace(b"x" * 100, b"y" * 100, 1),
    ]
    for content in damaged:
        (tmp_path / "a.zip").write_bytes(content)
        with raises(DownloadError, path=tmp_path / "a.zip", reason="is not a whole zip archive"):
            archives.unpack(tmp_path / "a.zip", tmp_path / "out")
    with raises(DatasetError, path=tmp_path / "none.zip", reason="does not exist"):
        archives.unpack(tmp_path / "none.zip", tmp_path / "out")


def test_an_archive_that_does_not_fit_the_disk_or_has_a_password_is_reported(tmp_path, monkeypatch):
    archive = archive_of(tmp_path / "a.zip", "a.png")
    content = bytearray(archive.read_bytes())
    for head, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(head) + at] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    with raises(DownloadError, path=tmp_path / "locked.zip", reason="is locked by a password"):
        archives.unpack(tmp_path / "locked.zip", tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("usage", (), {"free": 10}))
    with raises(DownloadError, path=tmp_path, what="are needed in"):
        archives.unpack(archive, tmp_path)


def test_a_run_on_a_dataset_that_is_not_there_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DMF_CACHE", str(tmp_path / "cache"))
    assert main(["train", "dataset=breast", f"output_root={tmp_path / 'runs'}"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: breast is not there")
    assert "`dmf data prepare dataset=breast`" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def on_a_disk_of_its_own(tmp_path, options, url):
    """Standard error of ``dmf data prepare`` into a file system that is full or read-only."""
    place = tmp_path / "place"
    place.mkdir()
    words = f'data prepare dataset=bus_bra dataset.dir={place}/x dataset.download.urls=["{url}"]'
    words += " dataset.download.sha256=[null]"
    script = f"mount -t tmpfs -o {options} none '{place}' && exec '{sys.executable}' -m dmf_cli {words}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    return done.stderr


@pytest.mark.mount
@pytest.mark.parametrize(
    ("options", "says"),
    [("size=64k", "iB are free: make room"), ("ro", "(Read-only file system): make room")],
)
def test_a_disk_that_is_really_full_or_read_only_is_reported(served, tmp_path, options, says):
    served.content = served.content + bytes(200_000)
    assert says in on_a_disk_of_its_own(tmp_path, options, served.url)


def test_a_process_that_was_killed_is_resumed_by_the_next(served, tmp_path):
    """The server gives a part and then nothing: the process hangs, is killed, and the next one finishes."""
    for number in range(3):
        image(tmp_path / f"made/more/{number}.png", size=(300, 400))
    served.content = zipped(tmp_path / "made", "BUSBRA/")
    target = tmp_path / "busbra"
    served.plan = ["hang"]
    command = [sys.executable, "-m", "dmf_cli", "data", "prepare", "dataset=bus_bra", f"dataset.dir={target}"]
    command += [f'dataset.download.urls=["{served.url}"]', "dataset.download.sha256=[null]"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        part = tmp_path / ".busbra.download" / "0_a.zip.part"
        while not (part.exists() and part.stat().st_size >= 65_536):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.kill()
        served.go_on.set()
    kept = part.stat().st_size
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "bus_bra: 3 images" in done.stdout
    assert served.seen[-1] == ("whole", f"bytes={kept}-")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
