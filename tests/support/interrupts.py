"""Ctrl-C in tests."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def interruptible():
    """Ctrl-C interrupts, also where pytest was started in the background or other code has changed what it does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c():
    """Do what Python does after Ctrl-C; a real signal would reach whatever else of the process waits for one."""
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    handler(signal.SIGINT, None)
