"""Every shipped data source passes the contract suite."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.registry import find, names
from duonas.core.rng import stream
from duonas.data.sources.imagenet100 import CLASSES
from duonas.testing import SourceContract


class TestSources(SourceContract):
    @pytest.fixture(autouse=True, params=names("source"))
    def _options(self, request, make_shard, make_folder, make_imagenet, make_coco):
        self.kind = find("source", request.param)
        keys = {}
        if request.param == "folder":
            keys = {"path": str(make_folder({"cat": 3, "dog": 4})), "image_size": 8}
        elif request.param == "imagenet100":
            keys = {"path": str(make_imagenet(CLASSES, 1, 1))}
        elif request.param == "visual_wake_words":
            keys = {"path": str(make_coco({"train": [[(1, 0.2)], []], "val": [[], [(1, 0.5)]]}))}
        elif request.param not in ("digits", "clothing"):
            for part in ("train", "test"):
                pixels = stream(0, part).integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
                keys = {"path": str(make_shard(part, pixels, [0, 1, 2, 0, 1, 2]))}
        self.options = self.kind.Options(**keys)

    def source(self):
        return self.kind(self.options)
