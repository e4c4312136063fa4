"""A page in headless Chromium, driven over the pipe of its DevTools protocol: no driver, no port, no package.

Every request that is not for the file itself, and every word on the console, is kept: a report has none.
"""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 120  # seconds until a browser that says nothing is given up: machines are busy
KEYS = {"Enter": (13, "\r"), " ": (32, " "), "Tab": (9, ""), "ArrowRight": (39, ""), "ArrowLeft": (37, "")}


class Page:
    """One page; ``with open_page(folder) as page: page.go(file)``."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._session = read, write, ""
        self._numbers, self._rest = itertools.count(1), b""
        self.console: list[str] = []
        self.requests: list[str] = []

    def attach(self) -> None:
        """Take the first page of the browser."""
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t for t in targets if t["type"] == "page")
        found = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def go(
        self, file: Path, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> None:
        """Open ``file`` in a window of that size, wait until its charts are drawn."""
        mode = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[mode])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.console, self.requests = [], []
        self.call("Page.navigate", url=file.resolve().as_uri())
        done = "document.readyState === 'complete'"
        self.wait(f"{done} && document.documentElement.dataset.ready === 'true'" if script else done)

    def js(self, expression: str) -> Any:
        """The value of ``expression`` in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until ``expression`` is true."""
        self._until(lambda: bool(self.js(expression)), expression)

    def middle(self, selector: str) -> tuple[float, float]:
        """Where the middle of the first element that ``selector`` names is, once it is in view."""
        one = _element(selector)
        self.js(f"{one}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        x, y = self.js(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({one}.getBoundingClientRect())")
        return x, y

    def click(self, selector: str) -> None:
        """Click the middle of the first element that ``selector`` names, as a mouse does."""
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move(self, x: float, y: float) -> None:
        """Move the mouse there."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str, selector: str | None = None) -> None:
        """Press ``key``, with the focus on ``selector``."""
        if selector:
            self.js(f"{_element(selector)}.focus()")
        code, text = KEYS[key]
        event = {"key": key, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        """A PNG of the page, or of what the window shows."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))

    def pdf(self, file: Path) -> None:
        """The page as it is printed."""
        found = self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        answer: dict[str, Any] = {}

        def answered() -> bool:
            nonlocal answer
            answer = next((m for m in self._messages() if m.get("id") == number), {})
            return bool(answer)

        self._until(answered, method)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def _messages(self) -> Iterator[dict[str, Any]]:
        if select.select([self._read], [], [], 0.05)[0]:
            data = os.read(self._read, 1 << 20)
            if not data:
                raise AssertionError("Chromium has ended")
            *whole, self._rest = (self._rest + data).split(b"\0")
            for message in map(json.loads, whole):
                self._note(message)
                yield message

    def _note(self, message: dict[str, Any]) -> None:
        params, method = message.get("params", {}), message.get("method")
        if method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.console.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(
            ("data:", "file:", "blob:")
        ):
            self.requests.append(params["request"]["url"])

    def _until(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise AssertionError(f"Chromium did not answer within {PATIENCE} s: {what}")


@contextlib.contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """A browser of its own with an empty page; ``folder`` takes its profile."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no Chromium"
    # Fixed numbers 3 and 4 are what the browser reads and writes: keep ours out of their way.
    down, up = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (*down, *up)]
    for end in (*down, *up):
        os.close(end)
    quiet = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[3], 4)]
    actions += [(os.POSIX_SPAWN_DUP2, quiet, stream) for stream in (0, 1, 2)]
    words = [program, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    pid = os.posix_spawn(program, words, os.environ, file_actions=actions, setpgroup=0)
    os.close(ends[0]), os.close(ends[3]), os.close(quiet)
    try:
        page = Page(ends[2], ends[1])
        page.attach()
        yield page
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ends[1]), os.close(ends[2])


def _element(selector: str) -> str:
    return f"document.querySelector({selector!r})"
