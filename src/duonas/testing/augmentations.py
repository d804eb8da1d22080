"""The contract of augmentations."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from duonas.core.rng import stream
from duonas.data.augment import Augment
from duonas.data.augmentation import Augmentation, Batch, Crop, Mixture, Variation

COUNT, SIDE, CLASSES = 12, 9, 4  # images, their side in pixels, classes
BATCH = Batch(COUNT, SIDE, SIDE)


class AugmentationContract(ABC):
    """Tests of every augmentation (law 9)."""

    @abstractmethod
    def augmentation(self) -> Augmentation:
        """Return the augmentation under test, switched on."""

    def images(self) -> Tensor:
        """Return random images (12, 3, 9, 9) uint8."""
        return torch.from_numpy(stream(0, "images").integers(0, 256, (COUNT, 3, SIDE, SIDE), dtype=np.uint8))

    def varied(self, rows: np.ndarray | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Return images and targets after the augmentation, for some rows or all."""
        each = self.augmentation()
        variations, mixtures = [(each,) if isinstance(each, kind) else () for kind in (Variation, Mixture)]
        augment = Augment(variations, mixtures, each if isinstance(each, Crop) else None)  # type: ignore[arg-type]
        labels = torch.arange(COUNT) % CLASSES
        return augment(self.images(), labels, CLASSES, stream(seed, "draws"), rows)

    def test_it_is_off_by_default(self) -> None:
        """The augmentation is off without its keys in the recipe."""
        kind = type(self.augmentation())
        assert self.augmentation().active and not kind(kind.Options()).active

    def test_it_keeps_shape_range_and_kind(self) -> None:
        """Images (M, 3, H, W) are in [0, 1], targets sum to 1, and the input is not modified."""
        before = self.images()
        images, targets = self.varied()
        assert images.shape == before.shape and images.min() >= 0 and images.max() <= 1
        assert targets.dtype == torch.int64 or torch.allclose(targets.sum(1), torch.ones(COUNT))
        each = self.augmentation()
        if isinstance(each, Variation):
            drawn = each.draw(BATCH, stream(0, "draws"))
            pixels = before.clone()
            assert each.vary(pixels, drawn).dtype == torch.uint8 and torch.equal(pixels, before)

    def test_a_crop_is_of_the_size_that_is_asked_for(self) -> None:
        """A crop gives any size, and leaves the working images as they are."""
        each = self.augmentation()
        if isinstance(each, Crop):
            working = self.images()
            found = each.cut(working, each.draw(BATCH, stream(0, "draws")), (SIDE - 3, SIDE + 2))
            assert found.shape == (COUNT, 3, SIDE - 3, SIDE + 2) and found.dtype == torch.uint8
            assert torch.equal(working, self.images())

    def test_the_seed_decides(self) -> None:
        """Equal seeds give equal images and other seeds others; global random state is unchanged."""
        state = torch.get_rng_state(), str(np.random.get_state())
        first, again = self.varied(), self.varied()
        assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
        assert any(not torch.equal(first[0], self.varied(seed=seed)[0]) for seed in range(1, 5))
        assert torch.equal(state[0], torch.get_rng_state()) and state[1] == str(np.random.get_state())

    def test_an_image_becomes_the_same_whichever_others_are_asked_for(self) -> None:
        """Several processes together get the same images as one."""
        whole, targets = self.varied()
        rows = np.array([1, 4, 5, 10])
        some, some_targets = self.varied(rows)
        assert torch.equal(some, whole[rows]) and torch.equal(some_targets, targets[rows])
