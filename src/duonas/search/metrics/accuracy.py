"""The accuracy of a routed pair."""

from __future__ import annotations

from typing import ClassVar, Literal

from duonas.search.metric import Metric


class Accuracy(Metric):
    """The fraction of val images that the routed pair classifies correctly, an objective of every search.

    The search computes it from predictions, not from prices. For a lower limit set ``[route] floor``.
    """

    direction: ClassVar[Literal["min", "max"]] = "max"
    unit = "fraction"
    dear = varies = True
    bounded = False
