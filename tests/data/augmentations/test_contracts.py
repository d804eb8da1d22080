"""Every shipped augmentation passes the contract suite."""

from __future__ import annotations

import pytest

from duonas.core.registry import find, names
from duonas.testing import AugmentationContract

ON = {
    "crop_scale": 0.3, "crop_padding": 2, "flip": True, "randaugment": 2, "mixup": 0.5, "cutmix": 1.0,
}  # fmt: skip


class TestAugmentations(AugmentationContract):
    @pytest.fixture(autouse=True, params=names("augmentation"))
    def _kind(self, request):
        self.kind = find("augmentation", request.param)

    def augmentation(self):
        keys = {key: value for key, value in ON.items() if key in self.kind.Options.__dataclass_fields__}
        return self.kind(self.kind.Options(**keys))
