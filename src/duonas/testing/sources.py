"""The contract of data sources."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from duonas.data.decode import decode_all
from duonas.data.listing import OWN_SPLITS, Listing
from duonas.data.source import Source
from duonas.runtime.prepare import Preparation


class SourceContract(ABC):
    """Tests of every data source (law 9)."""

    @abstractmethod
    def source(self) -> Source:
        """Return the source under test."""

    def listing(self) -> Listing:
        """Return what the source lists."""
        return self.source().list()

    def test_every_image_has_a_name_a_label_and_a_split(self) -> None:
        """Names differ, labels are (N,) int64, and splits are those that a data set can come with, or empty."""
        found = self.listing()
        assert len(found) == len(found.images) == len(found.labels) == len(found.splits) > 0
        assert len(set(found.names)) == len(found)
        assert found.labels.dtype == np.int64
        assert set(found.splits) <= {*OWN_SPLITS, ""}

    def test_every_label_has_a_name_and_every_class_images(self) -> None:
        """There are two or more classes with different names, and each has images outside of val and test."""
        found = self.listing()
        assert len(set(found.class_names)) == len(found.class_names) >= 2
        outside = found.labels[~np.isin(found.splits, ("val", "test"))]
        assert sorted(set(outside.tolist())) == list(range(len(found.class_names)))
        assert found.labels.max() < len(found.class_names)

    def test_every_image_can_be_read(self) -> None:
        """Files, encoded bytes or arrays are images."""
        facts = decode_all(self.listing().images, Preparation(8))[1]
        assert set(facts.broken) == {""}

    def test_listing_twice_gives_the_same(self) -> None:
        """Images are equal and in the same order; global random state is unchanged."""
        before = torch.get_rng_state(), str(np.random.get_state())
        first, second = self.listing(), self.listing()
        assert list(first.names) == list(second.names) and first.class_names == second.class_names
        assert np.array_equal(first.labels, second.labels) and np.array_equal(first.splits, second.splits)
        pixels = [decode_all(listing.images, Preparation(8))[0] for listing in (first, second)]
        assert torch.equal(*pixels)
        assert torch.equal(before[0], torch.get_rng_state()) and before[1] == str(np.random.get_state())
