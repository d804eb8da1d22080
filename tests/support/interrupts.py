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
