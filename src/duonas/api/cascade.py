"""A routed pair of two networks that one has, from Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from duonas.api.run import Run, run
from duonas.core.progress import StageProgress
from duonas.recipe.cascade import Network
from duonas.recipe.cascade import cascade as recipe_of


def cascade(
    little: Network | Sequence[Network],
    big: Network | Sequence[Network],
    images: str | Path,
    folder: str | PathLike[str] = "runs/cascade",
    *,
    overrides: Iterable[str] = (),
    progress: StageProgress | bool | None = None,
    **target: float | str,
) -> Run:
    """Make a routed pair of two networks, export and measure it, without any training, and return the run.

    ``duonas.cascade("little.onnx", "big.onnx", "pictures", floor="90%")``

    Args:
        little: an ONNX file, ``timm:NAME@WEIGHTS``, ``file.py:NAME``, or a table such as ``{"file": "little.onnx",
            "size": 96, "mean": [0.5], "std": [0.5]}``; or a list of these to choose from.
        big: likewise.
        images: a folder with a subfolder of images per class, or a table; best of images that neither network was
            trained on.
        folder: the folder of the run; created, or resumed if it has the same recipe.
        overrides: ``"table.key=value"`` of the recipe, as in ``load_recipe``.
        progress: as in ``run``.
        target: of the threshold, one of ``floor``, ``budget``, ``share``, ``latency`` and ``energy``, as in
            ``rechoose``.

    Raises:
        DuonasError: a network, the images or the folder cannot be used, or the target cannot be met.
    """
    chosen = [f"route.{name}={value}" for name, value in target.items()]
    return run(recipe_of(little, big, images, [*overrides, *chosen]), folder, progress=progress)
