"""Checks that batch norms get more than one value, before any training."""

from __future__ import annotations

from collections.abc import Iterator

from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace, Subnet
from duonas.recipe.schema import Recipe


def check_batch_norms(recipe: Recipe, pairs: PairSpace, train_images: int) -> None:
    """Check that no batch norm would have to take the variance of a single value.

    That happens where a feature map is 1 x 1 and a batch has one image. Static baselines, whose layers are not known
    here, need two images in any case.

    Args:
        recipe: the recipe.
        pairs: its pair space.
        train_images: number of images in the train split.

    Raises:
        DuonasError: a batch is too small; the message says what is possible.
    """
    if train_images < 2:
        raise DuonasError(f"the train split has {train_images} image: batch norms need at least 2; add images.")
    narrow = _single_pixel(pairs)
    for table, size in _batch_sizes(recipe):
        if size == 1 and (narrow or (table == "baselines" and recipe.baselines.networks)):
            what = (
                f"the batch norm of block {narrow!r} gets maps of 1 x 1 pixel"
                if narrow
                else "networks have batch norms"
            )
            raise DuonasError(
                f"[{table}] batch_size = 1: {what}, and a single value has no variance: set it to at least 2."
            )


def _batch_sizes(recipe: Recipe) -> Iterator[tuple[str, int]]:
    """Yield the tables that something is trained by, and their batch sizes."""
    yield "train", recipe.train.batch_size
    if recipe.finetune.mode != "none":
        yield "finetune", recipe.finetune.over(recipe.train).batch_size
    if recipe.baselines.networks or recipe.trains_plain:
        yield "baselines", recipe.baselines.over(recipe.train).batch_size


def _single_pixel(pairs: PairSpace) -> str:
    """Return the name of a block of the smallest or largest arch with a norm of 1 x 1 maps; empty if there is none."""
    subnets = [
        Subnet(arch, role)
        for role in pairs.roles
        for arch in (pairs.spaces[role].smallest(), pairs.spaces[role].largest())
    ]
    for block in (block for subnet in subnets for block in pairs.blocks(subnet)):
        if any(layer.norm and layer.out_resolution == 1 for layer in block.layers):
            return block.name
    return ""
