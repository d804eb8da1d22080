"""The contract of data sources."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from duonas.data.images import Images
from duonas.data.ondisk import read
from duonas.data.source import Source


class SourceContract(ABC):
    """Tests of every data source (law 9)."""

    @abstractmethod
    def source(self) -> Source:
        """Return the source under test."""

    def parts(self) -> list[Images]:
        """Return the images, and the test split if there is one."""
        found = self.source().read()
        return [part for part in (found.images, found.test) if part is not None]

    def test_images_are_square_bytes_of_one_size(self) -> None:
        """Pixels are (N, 3, H, H) uint8, labels (N,) int64."""
        sides = set()
        for part in self.parts():
            pixels = read(part.pixels)
            assert pixels.dtype == torch.uint8 and pixels.shape[1] == 3
            assert part.labels.dtype == torch.int64 and part.labels.shape == (len(pixels),)
            sides |= set(pixels.shape[2:])
        assert len(sides) == 1

    def test_every_label_has_a_name_and_every_class_images(self) -> None:
        """There are two or more classes with different names, and each has images outside of the test split."""
        found, parts = self.source().read(), self.parts()
        assert len(set(found.class_names)) == len(found.class_names) >= 2
        assert sorted(set(parts[0].labels.tolist())) == list(range(len(found.class_names)))
        assert all(part.labels.max() < len(found.class_names) for part in parts)

    def test_reading_twice_gives_the_same(self) -> None:
        """Images are bitwise equal and in the same order; global random state is unchanged."""
        before = torch.get_rng_state(), str(np.random.get_state())
        for first, second in zip(self.parts(), self.parts(), strict=True):
            assert torch.equal(read(first.pixels), read(second.pixels)) and torch.equal(first.labels, second.labels)
        assert torch.equal(before[0], torch.get_rng_state()) and before[1] == str(np.random.get_state())

    def test_progress_ends_where_it_should(self) -> None:
        """Reported progress never exceeds the total."""
        reported: list[tuple[int, int]] = []
        self.source().read(lambda done, total, **_: reported.append((done, total)))
        assert all(0 <= done <= total for done, total in reported)
