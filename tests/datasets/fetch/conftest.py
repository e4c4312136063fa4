"""A server on loopback that goes wrong as it is told to."""

import contextlib
import hashlib
import http.server
import threading

import numpy as np
import pytest

from dmf_cli.datasets.fetch import download

CONTENT = np.random.default_rng(0).bytes(700_000)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.content`` with ranges; ``server.plan`` says what goes wrong with the next answers."""

    def do_GET(self):
        content, plan = self.server.content, self.server.plan
        what = plan.pop(0) if plan else "whole"
        self.server.seen.append((what, self.headers.get("Range")))
        if what in (404, 429, 500, 503):
            self.send_error(what)
            return
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        start, asked = 0, self.headers.get("Range")
        if asked and self.server.ranges and self.headers.get("If-Range") in (None, tag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if self.server.tags:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if what == "hang":
            self.wfile.write(content[start : start + 100_000])
            self.server.go_on.wait(20)
            return
        end = start + what if isinstance(what, int) else len(content)
        with contextlib.suppress(OSError):  # who was interrupted has gone
            self.wfile.write(content[start:end])  # fewer bytes than promised, then the connection closes

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSES", (0, 0, 0))
    monkeypatch.setattr(download, "CHUNK", 50_000)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.content, running.plan, running.seen = CONTENT, [], []
        running.ranges = running.tags = True
        running.go_on = threading.Event()
        running.url = f"http://127.0.0.1:{running.server_port}/a.zip"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
