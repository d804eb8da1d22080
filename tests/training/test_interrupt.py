"""Ctrl-C during training: the step in hand is finished and saved."""

from __future__ import annotations

import signal

import pytest

from duonas.training.interrupt import PatientInterrupt
from support.interrupts import press_ctrl_c


def test_the_first_interrupt_is_noted_and_the_second_is_not_patient(interruptible):
    with pytest.raises(KeyboardInterrupt), PatientInterrupt() as interrupt:
        press_ctrl_c()
        assert interrupt.wanted
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_is_deaf_to_it_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with PatientInterrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
        assert not interrupt.wanted and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
