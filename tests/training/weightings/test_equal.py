from __future__ import annotations

from duonas.testing import WeightingContract
from duonas.training.weightings.equal import Equal


class TestEqual(WeightingContract):
    def weighting(self, trained):
        return Equal(Equal.Options(), trained)

    def test_every_image_counts_once(self):
        assert self.after(self.made(), 0) == (None, None)
