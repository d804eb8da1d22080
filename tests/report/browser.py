"""A real browser for the tests: headless Chromium, spoken to over its debugging pipe (no driver, no port)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

BINARIES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip


class Browser:
    """One page. ``requests`` and ``complaints`` hold what happened since ``open``."""

    def __init__(self) -> None:
        """Start it; ``RuntimeError`` where none is installed."""
        binary = next(filter(None, map(shutil.which, BINARIES)), None)
        if binary is None:
            raise RuntimeError(
                f"the report is tested in a real browser: install one of {', '.join(BINARIES)} (Debian: apt "
                "install chromium)."
            )
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (theirs_in, self._to), (self._from, theirs_out) = os.pipe(), os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4; keep the originals clear of both.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in (theirs_in, theirs_out)]
        os.close(theirs_in)
        os.close(theirs_out)
        actions = [
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, ends[0], 3),
            (os.POSIX_SPAWN_DUP2, ends[1], 4),
        ]
        command = [binary, f"--user-data-dir={self._profile.name}", *FLAGS]
        self._pid = os.posix_spawn(binary, command, dict(os.environ), file_actions=actions, setpgroup=0)
        for end in ends:
            os.close(end)
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = next(t for t in self._until_page() if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def _until_page(self) -> list[dict[str, Any]]:
        for _ in range(100):
            targets: list[dict[str, Any]] = self.call("Target.getTargets")["targetInfos"]
            if any(target["type"] == "page" for target in targets):
                return targets
            time.sleep(0.05)
        raise RuntimeError("the browser opened no page.")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        os.write(
            self._to, json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0"
        )
        while True:
            answer = self._receive(60)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _receive(self, seconds: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], seconds)[0]:
                raise RuntimeError("the browser does not answer.")
            read = os.read(self._from, 1 << 20)
            if not read:
                raise RuntimeError("the browser ended.")
            self._buffer += read
        message, self._buffer = self._buffer.split(b"\0", 1)
        value: dict[str, Any] = json.loads(message)
        return value

    def open(self, path: Path, *, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Load a file and wait until it is shown."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        loader = self.call("Page.navigate", url=path.resolve().as_uri())["loaderId"]
        while not any(self._loaded(event, loader) for event in self.events):
            self.events.append(self._receive(60))

    @staticmethod
    def _loaded(event: dict[str, Any], loader: str) -> bool:
        params = event.get("params", {})
        return (
            event.get("method") == "Page.lifecycleEvent" and params["name"] == "load" and params["loaderId"] == loader
        )

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def draw(self, selector: str = ".vega") -> None:
        """Have the report draw charts that it would draw once they come near the screen, and wait for them."""
        self.run("dispatchEvent(new Event('beforeprint'))")
        drawn = f"[...document.querySelectorAll('{selector}')].every(e => e.querySelector('svg'))"
        for _ in range(600):
            if self.run(drawn):
                return
            time.sleep(0.05)
        raise RuntimeError(f"not every chart was drawn: {self.complaints}")

    def point(self, x: float, y: float) -> None:
        """Move the mouse there."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the page."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    @property
    def requests(self) -> list[str]:
        """Every address the page asked for."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    @property
    def complaints(self) -> list[str]:
        """Whatever the page said on its console, and uncaught exceptions."""
        names = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(e["params"]) for e in self.events if e["method"] in names]

    def __enter__(self) -> Browser:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        os.close(self._to)
        os.close(self._from)
        os.killpg(self._pid, signal.SIGKILL)  # the group that this object started, its helpers included
        os.waitpid(self._pid, 0)
        self._profile.cleanup()
