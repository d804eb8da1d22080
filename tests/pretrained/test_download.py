"""Whether somebody answers, before timm is asked to download."""

from __future__ import annotations

import threading

import huggingface_hub
import pytest

from duonas.pretrained.download import _knock


class Session:
    """A client of the hub that answers, refuses, or waits for a name that nobody resolves."""

    def __init__(self, answer):
        self.answer = answer

    def head(self, address, timeout):
        return self.answer()


def knock(monkeypatch, answer):
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: Session(answer))
    _knock("https://hub", wait=0.05)


def test_any_answer_will_do(monkeypatch):
    knock(monkeypatch, lambda: "404")


def test_the_clients_own_error_is_told(monkeypatch):
    def refused():
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError, match="no route"):
        knock(monkeypatch, refused)


def test_who_does_not_answer_is_not_waited_for(monkeypatch):
    forever = threading.Event()
    with pytest.raises(TimeoutError, match=r"https://hub does not answer within 0\.05 s"):
        knock(monkeypatch, forever.wait)
    forever.set()
