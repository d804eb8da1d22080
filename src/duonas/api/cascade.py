"""A routed pair of two networks that one has, from Python."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duonas.api.run import Run, run
from duonas.core.files import as_path
from duonas.core.progress import StageProgress
from duonas.recipe.cascade import Network as Named
from duonas.recipe.cascade import cascade as recipe_of
from duonas.rundir.lock import NAME as LOCK
from duonas.rundir.paths import RunPaths

if TYPE_CHECKING:
    from torch import nn

    Network = Named | nn.Module


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
        little: an ONNX file, ``timm:NAME@WEIGHTS``, ``file.py:NAME``, the folder of a finished run (its little is
            taken), or a table such as ``{"file": "little.onnx", "size": 96, "mean": [0.5], "std": [0.5]}``; or a
            ``torch.nn.Module`` from images (N, 3, S, S) to scores (N, K), with what it wants beside it, as in
            ``{"module": network, "size": 96}``, which is kept as an ONNX file in the folder of the run; or a list of
            these to choose from.
        big: likewise; of a run its big.
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
    paths = RunPaths(as_path(folder, "a run's folder"))
    with _begun(paths):
        littles, bigs = _named(little, "little", paths), _named(big, "big", paths)
        return run(recipe_of(littles, bigs, images, [*overrides, *chosen]), folder, progress=progress)


def _named(given: Any, role: str, paths: RunPaths) -> list[Any]:
    """The networks for a role, the modules among them as files."""
    from duonas.given.handed import handed

    every = list(given) if isinstance(given, list | tuple) else [given]
    names = [role] if len(every) == 1 else [f"{role}-{number}" for number in range(1, len(every) + 1)]
    return [handed(each, name, paths.networks / f"{name}.onnx") for each, name in zip(every, names, strict=True)]


@contextmanager
def _begun(paths: RunPaths) -> Iterator[None]:
    """Remove the files of modules again where no run came of them, and the folder if there was none."""
    new = not paths.folder.exists()
    if not paths.recipe_file.exists():
        shutil.rmtree(paths.networks, ignore_errors=True)  # of a start that was killed
    try:
        yield
    except BaseException:
        if not paths.recipe_file.exists():
            shutil.rmtree(paths.networks, ignore_errors=True)
            if new and paths.folder.exists() and {path.name for path in paths.folder.iterdir()} <= {LOCK}:
                with suppress(OSError):  # on Windows nobody may remove an open file
                    shutil.rmtree(paths.folder)
        raise
