"""Accuracies that do not depend on how many images each class has."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from duonas.core.recall import recalls
from duonas.search.metric import ArchFacts, ArchMetric

BALANCED, WORST = "balanced_accuracy", "worst_class_accuracy"


class Balanced(ArchMetric):
    """The balanced accuracy on val, or the accuracy of the worst class, of the worse of the two networks alone.

    Balanced accuracy is the mean of the accuracies of the classes that have images. Accuracy itself, which every search
    maximises, is that of the routed pair. A floor for the routed pair is chosen by ``[route] floor_on``.
    """

    family = (BALANCED, WORST)
    unit = "fraction"
    direction: ClassVar[Literal["min", "max"]] = "max"
    dear = True

    def value(self, arch: ArchFacts) -> float:
        """The figure of one network, in [0, 1]."""
        assert arch.logits is not None and arch.labels is not None
        found = recalls(arch.logits.argmax(1) == arch.labels, arch.labels, arch.logits.shape[1])
        return float(np.nanmean(found) if self.called == BALANCED else np.nanmin(found))
