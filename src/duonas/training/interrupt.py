"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class PatientInterrupt:
    """In this context the first Ctrl-C only sets ``wanted``, so that the current step can be finished and saved.

    A second one interrupts at once. Outside of the main thread, where Python delivers no signals, nothing changes.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._handler: signal._HANDLER = None

    def __enter__(self) -> PatientInterrupt:
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.getsignal(signal.SIGINT)
            # A program that ignores Ctrl-C, as under nohup, goes on ignoring it.
            if self._handler is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
