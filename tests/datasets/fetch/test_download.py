"""The download code against a real server on loopback that cuts, refuses, changes and forgets."""

import errno
import hashlib

import pytest

from dmf_cli.datasets.fetch import download
from dmf_cli.errors import DownloadError
from tests.datasets.fetch.conftest import CONTENT
from tests.raised import raises

SHA = hashlib.sha256(CONTENT).hexdigest()


def whole(folder):
    """Only the file is left, and it is right."""
    assert [p.name for p in folder.iterdir()] == ["a.zip"]
    return (folder / "a.zip").read_bytes() == CONTENT


def test_a_file_is_fetched_checked_and_reported_of(server, tmp_path):
    calls = []
    assert (
        download.fetch(
            server.url, tmp_path / "a.zip", sha256=SHA.upper(), progress=lambda *x: calls.append(x)
        )
        == SHA
    )
    assert whole(tmp_path)
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert download.fetch(server.url, tmp_path / "a.zip", sha256=SHA) == SHA
    assert len(server.seen) == 1  # the second call only checks what is there


def test_a_cut_connection_is_resumed_where_it_was_cut(server, tmp_path):
    server.plan = [200_000, 100_000, 1]
    assert download.fetch(server.url, tmp_path / "a.zip", sha256=SHA) == SHA
    assert whole(tmp_path)
    ranges = [asked for _, asked in server.seen]
    assert ranges[0] is None
    assert all(asked and int(asked[6:-1]) > 0 for asked in ranges[1:])
    assert [int(asked[6:-1]) for asked in ranges[1:]] == sorted(int(asked[6:-1]) for asked in ranges[1:])


def test_an_interrupted_call_leaves_a_part_from_which_the_next_call_resumes(server, tmp_path):
    def interrupt(have, total):
        if have >= 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.fetch(server.url, tmp_path / "a.zip", progress=interrupt)
    assert not (tmp_path / "a.zip").exists()
    kept = (tmp_path / "a.zip.part").stat().st_size
    assert kept >= 250_000
    assert download.fetch(server.url, tmp_path / "a.zip", sha256=SHA) == SHA
    assert server.seen[-1] == ("whole", f"bytes={kept}-")
    assert whole(tmp_path)


@pytest.mark.parametrize("change", ["content", "ranges", "tags"])
def test_what_cannot_be_resumed_is_begun_anew(server, tmp_path, change):
    """The file has changed meanwhile, or the server knows no ranges, or gives files no mark."""
    server.tags = change != "tags"
    server.content = CONTENT[::-1] if change == "content" else CONTENT
    server.plan = [300_000, 404]
    with raises(DownloadError) as caught:
        download.fetch(server.url, tmp_path / "a.zip")
    assert str(caught.value) == f"{server.url} answered 404 Not Found: check dataset.download.urls"
    server.content, server.ranges = CONTENT, change != "ranges"
    assert download.fetch(server.url, tmp_path / "a.zip", sha256=SHA) == SHA
    assert whole(tmp_path)


def test_a_part_that_was_whole_already_is_accepted(server, tmp_path):
    server.plan = [300_000, 404]
    with pytest.raises(DownloadError):
        download.fetch(server.url, tmp_path / "a.zip")
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    assert download.fetch(server.url, tmp_path / "a.zip", sha256=SHA) == SHA


def test_another_content_than_expected_is_reported_and_removed(server, tmp_path):
    with raises(DownloadError, path=server.url, reason=f"has the sha256 {SHA}, not {'0' * 64}"):
        download.fetch(server.url, tmp_path / "a.zip", sha256="0" * 64)
    assert not list(tmp_path.glob("a.zip*")) or [p.suffix for p in tmp_path.iterdir()] == [".json"]
    assert download.fetch(server.url, tmp_path / "a.zip", sha256=SHA) == SHA


def test_a_busy_server_is_asked_again_and_one_that_stays_busy_is_reported(server, tmp_path):
    server.plan = [503, 429, "whole"]
    assert download.fetch(server.url, tmp_path / "a.zip", sha256=SHA) == SHA
    server.plan = [500] * 10
    with raises(DownloadError, reason="cannot be downloaded (500 Internal Server Error)"):
        download.fetch(server.url, tmp_path / "b.zip")
    assert len(server.plan) == 10 - 1 - len(download.PAUSES)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.zip", "htp://x/a.zip", "no address"])
def test_nobody_there_is_one_line(server, tmp_path, url):
    with raises(DownloadError, path=url, reason="cannot be downloaded") as caught:
        download.fetch(url, tmp_path / "a.zip")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_full_disk_is_reported_before_and_while_it_fills(server, tmp_path, monkeypatch):
    usage = download.shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda folder: usage)
        with raises(DownloadError, path=tmp_path, what=f"are needed in {tmp_path} and 1 KiB are free"):
            download.fetch(server.url, tmp_path / "a.zip")

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, piece):
            raise OSError(errno.ENOSPC, "No space left on device")

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            self.file.close()

    opened = type(tmp_path).open
    monkeypatch.setattr(
        type(tmp_path),
        "open",
        lambda self, mode="r", **k: (
            Full(opened(self, mode, **k)) if mode in ("ab", "wb") else opened(self, mode, **k)
        ),
    )
    part = tmp_path / "a.zip.part"
    with raises(DownloadError, path=part, what="(No space left on device)", hint="make room"):
        download.fetch(server.url, tmp_path / "a.zip")


def test_a_place_that_cannot_be_written_is_reported(server, tmp_path):
    (tmp_path / "a.zip.part").mkdir()
    with raises(DownloadError, path=tmp_path / "a.zip.part", what="cannot write"):
        download.fetch(server.url, tmp_path / "a.zip")
