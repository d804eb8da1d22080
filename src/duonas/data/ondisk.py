"""Images that stay in a file and are read when they are needed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duonas.core.errors import DuonasError


@dataclass(frozen=True, eq=False)
class OnDisk:
    """Images in a file, used in place of a tensor (N, 3, H, W) uint8; indexing selects images without reading them.

    Args:
        stored: (M, 3, H, W) uint8, all images of the file, memory-mapped: the system caches what it has room for.
        rows: (N,) int64 indices of the selected images, in order.
        path: the file.
        sides: sides in pixels of the squares of an image, in their order in the file.
        device: where ``read`` puts the images.
    """

    stored: Tensor
    rows: np.ndarray
    path: Path
    sides: tuple[int, ...]
    device: torch.device

    @classmethod
    def open(cls, path: Path, count: int, sides: Sequence[int]) -> list[OnDisk]:
        """Open a file that begins with these images, each in all sizes; another process may be adding more.

        Args:
            path: the file.
            count: number of images.
            sides: sides in pixels of the squares of an image, in their order in the file.

        Returns:
            The images in each size.

        Raises:
            DuonasError: it cannot be read.
        """
        try:
            mapped = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:  # ValueError: it is empty
            raise DuonasError(f"cannot read {path}: {error}.") from error
        sizes = [3 * side**2 for side in sides]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that nobody may write to the tensor: nobody does
            whole = torch.from_numpy(mapped[: count * sum(sizes)].reshape(count, sum(sizes)))
        rows, cpu = np.arange(count), torch.device("cpu")
        parts = zip(whole.split(sizes, 1), sides, strict=True)
        return [cls(part.unflatten(1, (3, side, side)), rows, path, tuple(sides), cpu) for part, side in parts]

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process the file is opened again, since its images would not fit into memory."""
        count, side = len(self.stored), self.stored.shape[-1]
        return _opened, (self.path.absolute(), count, self.sides, side, self.rows, self.device)

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self.path.parent

    @property
    def shape(self) -> torch.Size:
        """(N, 3, H, W)."""
        return torch.Size([len(self), *self.stored.shape[1:]])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | np.ndarray) -> OnDisk:
        return replace(self, rows=self.rows[chosen])

    def to(self, device: torch.device | str) -> OnDisk:
        """The same images, which ``read`` puts on ``device``."""
        return replace(self, device=torch.device(device))

    def read(self) -> Tensor:
        """The selected images as a tensor (N, 3, H, W) uint8 on the device, without waiting for the device."""
        cuda = self.device.type == "cuda"
        pixels = torch.empty(self.shape, dtype=torch.uint8, pin_memory=cuda)
        torch.index_select(self.stored, 0, torch.from_numpy(self.rows), out=pixels)
        return pixels.to(self.device, non_blocking=cuda)


def _opened(
    path: Path, count: int, sides: tuple[int, ...], side: int, rows: np.ndarray, device: torch.device
) -> OnDisk:
    whole = OnDisk.open(path, count, sides)[sides.index(side)]
    return replace(whole, rows=rows, device=device)


Pixels = Tensor | OnDisk


def read(pixels: Pixels) -> Tensor:
    """(N, 3, H, W) uint8 as a tensor on its device."""
    return pixels if isinstance(pixels, Tensor) else pixels.read()
