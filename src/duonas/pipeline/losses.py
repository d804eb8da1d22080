"""Checks of what pairs are trained by, before any training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.plugin import is_plugin
from duonas.core.rng import stream
from duonas.data.splits import Splits
from duonas.pair.pair import PairOutput
from duonas.recipe.schema import Recipe
from duonas.training.divergence import make_divergence
from duonas.training.options import DivergenceOptions
from duonas.training.term import PairBatch, Term, make_terms
from duonas.training.weighting import PairInTraining, make_weighting

TOGETHER = ("joint", "scratch")  # modes of fine-tuning whose loss has terms
IMAGES, SIDE = 8, 4  # of a rehearsal


def check_losses(recipe: Recipe, splits: Splits) -> None:
    """Check the divergences, terms and weightings by which pairs are trained.

    Raises:
        DuonasError: one of them cannot be used; the message says why.
    """
    table = recipe.finetune
    terms, named = make_terms(table.loss), list(_switched_on(recipe))
    if named and table.mode not in TOGETHER:
        raise DuonasError(
            f"[finetune.loss] {named[0]} is for networks that are trained together: set [finetune] mode to 'joint' or "
            f"'scratch', here it is {table.mode!r}."
        )
    if hasattr(recipe.train, "loss"):
        terms += make_terms(recipe.train.loss)
    for term in terms:
        term.check(splits.class_names, splits.image_size)
        if is_plugin(term.name):
            _rehearse_term(term, splits.num_classes)
    if table.mode in TOGETHER:
        options = table.over(recipe.train)
        make_divergence(options.divergence, options.temperature)
        if is_plugin(options.loss.weighting):
            _rehearse_weighting(recipe, splits.num_classes)


def _switched_on(recipe: Recipe) -> Iterator[str]:
    """Yield the parts of ``[finetune.loss]`` that need both networks."""
    loss = recipe.finetune.loss
    yield from (term.called for term in make_terms(loss))
    if loss.weighting != "equal":
        yield f"weighting = {loss.weighting!r}"


def _rehearse_term(term: Term, classes: int) -> None:
    """Compute a user's own term for random answers.

    Raises:
        DuonasError: it fails, or its loss is not one finite number with a gradient.
    """
    batch = _made_up(classes)
    loss = _tried(f"term {term.name}", lambda: term(batch))
    if not isinstance(loss, Tensor) or loss.ndim or not math.isfinite(loss.item()) or not loss.requires_grad:
        raise DuonasError(f"term {term.name} must return one finite number with a gradient, got {loss!r:.80}.")


def _rehearse_weighting(recipe: Recipe, classes: int) -> None:
    """Weigh random images by a user's own weighting.

    Raises:
        DuonasError: it fails, or does not give two weights for every image.
    """
    options, batch = recipe.finetune.over(recipe.train), _made_up(classes)
    name = options.loss.weighting

    def weigh() -> object:
        weighting = make_weighting(PairInTraining(_Linear(classes), options))
        return weighting(batch, 0, lambda loss: loss.backward())

    found = _tried(f"weighting {name}", weigh)
    both = found if isinstance(found, tuple) and len(found) == 2 else (0, 0)
    for each in both:
        if each is not None and not (isinstance(each, Tensor) and each.shape == (IMAGES,) and bool((each >= 0).all())):
            raise DuonasError(
                f"weighting {name} must return ImageWeights of little and big, numbers of at least 0 for each of the "
                f"{IMAGES} images, got {found!r:.80}."
            )


def _tried(called: str, compute: Callable[[], object]) -> object:
    try:
        return compute()
    except Exception as error:  # a user's file can fail in any way
        said = str(error).strip().partition("\n")[0].rstrip(".")
        raise DuonasError(f"{called}: {type(error).__name__}: {said}.") from error


def _made_up(classes: int) -> PairBatch:
    """Return random images with random answers of a pair."""
    rng = stream(0, "rehearsal", "pair")
    images = torch.from_numpy(rng.random((IMAGES, 3, SIDE, SIDE))).float()
    targets = torch.from_numpy(rng.integers(0, classes, IMAGES))
    little, big, _ = _Linear(classes)(images)
    return PairBatch(images, targets, little, big, None, make_divergence(DivergenceOptions()))


class _Linear(nn.Module):
    """A pair of two linear networks."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        drawn = stream(0, "rehearsal", "linear").normal(size=(2, classes, 3 * SIDE * SIDE))
        self.weight = nn.Parameter(torch.from_numpy(drawn).float())

    def forward(self, images: Tensor) -> PairOutput:
        little, big = (nn.functional.linear(images.flatten(1), weight) for weight in self.weight)
        return PairOutput(little, big, images)
