"""Every router passes the contract suite."""

from __future__ import annotations

from duonas.routing.confidence import Confidence
from duonas.testing import RouterContract


class TestMargin(RouterContract):
    def router(self):
        return Confidence("margin", 1.7)


class TestMaxSoftmax(RouterContract):
    def router(self):
        return Confidence("max_softmax", 0.8)


class TestEntropy(RouterContract):
    def router(self):
        return Confidence("entropy")
