"""The common objects of a run's stages: recipe, run directory, images, pair space and supernet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.core.pair import PairSpace, Role
from duonas.core.plan import Plan, Unit
from duonas.core.progress import Silent, StageProgress, lazy_stage
from duonas.core.protocols import CostModel, Progress
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.core.tensors import load_tensors
from duonas.data.batches import recalibration_batches
from duonas.data.images import Images
from duonas.data.splits import Splits, load_splits
from duonas.layers.norm import recalibrate
from duonas.pipeline.choice import advice_on_ranking
from duonas.pipeline.narrow import narrow, note_part, noted_part
from duonas.pipeline.problem import make_problem, searched
from duonas.pipeline.spaces import (
    Kind,
    advice_on_precision,
    advice_on_spaces,
    in_table_of,
    kinds_of,
    pairs_of,
    said_in_table_of,
)
from duonas.pipeline.start import Start, check_kept, find_starts, keep_starts, kept_starts, origins
from duonas.pipeline.table import priced
from duonas.pipeline.warm import warm_start
from duonas.pipeline.weights import check_noted, find_weights, note_weights, noted, said_of
from duonas.pretrained.load import start
from duonas.pretrained.read import Weights
from duonas.pretrained.sources import NONE
from duonas.recipe.schema import Recipe
from duonas.rundir.folder import RunFolder
from duonas.search.evaluate import Evaluator
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.untrained import UntrainedNetworks
from duonas.supernet.family import Family, build_supernet
from duonas.supernet.pair import PairSupernet
from duonas.training.fabric import check_accelerator
from duonas.training.options import TrainOptions

NOTED_EVERY = 5.0  # seconds of a part between two notes of what it took


class Context:
    """A recipe and its run directory, with the objects that several stages use, each built once.

    Args:
        recipe: the recipe, which is ``asked``; see ``recipe`` for that of all stages.
        run: the run directory.
        family: kind of network, if not the recipe's.
        splits: the recipe's images, if they are loaded already.
        progress: progress of loading images, and warnings; silent by default.
        clock: the time in seconds, by which minutes are planned.
    """

    def __init__(
        self,
        recipe: Recipe,
        run: RunFolder,
        family: type[Family] | None = None,
        splits: Splits | None = None,
        progress: StageProgress | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.asked = recipe
        self.run = run
        self._family = family
        self._splits = splits
        self._progress = progress or Silent()
        self._warned: set[str] = set()
        self.clock, self._begun = clock, clock()
        self._note_time, self._noted_at = _note_nothing, 0.0  # of the part that goes on

    def warn(self, sentence: str) -> None:
        """Show a warning of one sentence, unless it is empty or was shown before."""
        if sentence and sentence not in self._warned:
            self._warned.add(sentence)
            self._progress.warn(sentence)

    def note(self, sentence: str) -> None:
        """Show a sentence, unless it is empty."""
        if sentence:
            self._progress.note(sentence)

    def stage(self, name: str) -> AbstractContextManager[Progress]:
        """Show work that comes before the stages of the run."""
        return self._progress.stage(name)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe; with ``[search] narrow`` that of the chosen part of its search space, which the run notes."""
        if not self.asked.search.narrow or self.asked.is_given:
            return self.asked
        if (known := noted_part(self.asked, self.run)) is not None:
            return known
        found = narrow(self.asked, self.family, self._progress, self.splits, self.run)
        note_part(found, self.run)
        self.note(found.said)
        return found.within(self.asked)

    @cached_property
    def splits(self) -> Splits:
        """The images, in host memory; they must be the same as when the run was started."""
        if self._splits is None:
            self.run.check_images(self.asked)
        splits = self._splits or read_splits(self.asked, self._progress)
        self.run.hold_splits(splits.hashes, splits.class_names)
        self.run.relocate(self.asked)
        return splits

    @cached_property
    def family(self) -> type[Family]:
        """The kind of network."""
        return self._family or find("space", self.asked.space.name)

    @cached_property
    def pairs(self) -> PairSpace:
        """The pair space."""
        return pairs_of(self.recipe, self.family, self.splits)

    @property
    def space(self) -> SearchSpace:
        """The search space."""
        return self.pairs.space

    @property
    def advice(self) -> tuple[str, ...]:
        """Advice on the search spaces for these images and for this precision; sentences are empty where none is."""
        spaces = advice_on_spaces(self.recipe, self.family, self.splits)
        return spaces, advice_on_precision(self.recipe, self.pairs), advice_on_ranking(self.recipe)

    def check_networks(self) -> None:
        """Nothing: there are no networks before the supernet is trained."""

    @property
    def fitting(self) -> tuple[PairSupernet, Images, Images] | None:
        """What a strategy of the search may be fitted on: the supernet, and the images of the train and val splits."""
        return self.supernet, self.splits.train, self.splits.val

    @cached_property
    def untrained(self) -> UntrainedNetworks | None:
        """Untrained networks on a batch of training images, for metrics of these."""
        splits, folder = self.splits, self.run.proxies if self.run.writes else None
        return UntrainedNetworks(splits.train, (splits.mean, splits.std), self.recipe.seed, folder, self.device)

    @property
    def search_options(self) -> SearchOptions:
        """The options of the search; see ``searched``."""
        return searched(self.recipe)

    @cached_property
    def problem(self) -> Problem:
        """The search problem: pair space, costs, objectives and constraints."""
        return make_problem(self.recipe, self.pairs, self.prices, warm_start(self.recipe, self.pairs, self.run))

    @cached_property
    def prices(self) -> CostModel:
        """The cost model of the search; of a device table, the run's own copy."""
        return priced(self.recipe, self.pairs, self._progress, self.run)

    @cached_property
    def device(self) -> torch.device:
        """The device of networks outside of training."""
        return find_device(self.recipe)

    @property
    def kinds(self) -> dict[Role, Kind]:
        """The kinds of both networks."""
        return kinds_of(self.recipe, self.family)

    @property
    def asks_for_weights(self) -> bool:
        """Whether the recipe asks for pretrained weights."""
        return any(self.kinds[role].table.pretrained != NONE for role in self.pairs.towers)

    @cached_property
    def weights(self) -> dict[Role, Weights | None]:
        """The pretrained weights that each tower starts from, by role; those that the run began with."""
        known, found = noted(self.run), dict[Role, Weights | None]()
        for role in self.pairs.towers:
            from_nothing = role in known and known[role] is None
            with in_table_of(role, self.recipe):
                found[role] = None if from_nothing else find_weights(*self.kinds[role], self.pairs.spaces[role])
        check_noted(self.run, found)
        return found

    def begin_with_weights(self) -> list[str]:
        """Find the weights to start from before any training, note them, and say what the supernet starts from.

        They are pretrained ones, or those of another run.

        Raises:
            DuonasError: those that the recipe asks for are not there, or do not fit.
        """
        if self.run.is_done("train"):
            return []
        return [*self._begin_with_pretrained(), *self._begin_with_starts()]

    def _begin_with_pretrained(self) -> list[str]:
        if not self.asks_for_weights:
            return []
        note_weights(self.run, self.weights)
        said = {role: said_of(*self.kinds[role], found) for role, found in self.weights.items()}
        named = (said_in_table_of(role, self.recipe, sentence) for role, sentence in said.items())
        return [sentence for sentence in dict.fromkeys(named) if sentence]

    def _begin_with_starts(self) -> list[str]:
        check_kept(self.run, origins(self.kinds, self.pairs))
        keep_starts(self.run, self.starts)
        said = {role: f"the supernet starts from the shared weights of {each.folder}." for role, each in
                self.starts.items()}  # fmt: skip
        return [said_in_table_of(role, self.recipe, sentence) for role, sentence in said.items()]

    @cached_property
    def starts(self) -> dict[Role, Start]:
        """The shared weights of another run that towers start from; those that the run began with."""
        return kept_starts(self.run) or find_starts(self.recipe, self.kinds, self.pairs)

    @property
    def training(self) -> TrainOptions:
        """``[train]``, with a lower learning rate where the supernet starts from pretrained weights."""
        return self.recipe.train.from_pretrained() if self.starts_from_weights else self.recipe.train

    @property
    def starts_from_weights(self) -> bool:
        """Whether the supernet starts, or started, from pretrained weights."""
        return self.asks_for_weights and any((noted(self.run) or self.weights).values())

    def fresh_supernet(self) -> PairSupernet:
        """Return the supernet before training, with the weights to start from if the recipe asks for some."""
        return fresh_supernet(self.recipe, self.family, self.pairs, self.splits, self.weights, self.starts)

    @property
    def elapsed(self) -> float:
        """Seconds since the run was begun or gone on with."""
        return self.clock() - self._begun

    @property
    def plan(self) -> Plan | None:
        """The plan of the run's minutes as it is now; ``None`` without a limit of time."""
        return Plan.load(self.run.plan) if self.run.plan.exists() else None

    @contextmanager
    def spending(self, part: str, timed: Callable[[], tuple[Unit, float]] | None = None) -> Iterator[int | None]:
        """A context for a part of the run; it yields the steps or evaluations that are planned for it, if any are.

        What the part takes is noted in the plan, also where it is interrupted; see ``noting`` for where it is killed.

        Args:
            part: as in ``Plan.parts``.
            timed: times the part's work anew, and what comes after all trainings, where the part has not begun yet.
        """
        if self.plan is None or part not in self.plan.parts:
            yield None
            return
        begin, plan = self.clock(), self.plan
        if not plan.parts[part].begun:
            before = plan.parts[part].count
            plan = plan.begin(part, *(timed() if timed is not None else ()))
            if timed is not None or plan.parts[part].count != before:
                self._progress.note(f"{part}: {plan.parts[part].in_words(part)}")
            self.warn(plan.shortage(part))
        plan.save(self.run.plan)

        def note_time() -> None:
            self._noted_at = self.clock()
            plan.spend(part, self._noted_at - begin).save(self.run.plan)

        self._note_time, self._noted_at = note_time, begin
        try:
            yield plan.parts[part].count
        finally:
            self._note_time = _note_nothing
            note_time()

    def noting(self, progress: Progress) -> Progress:
        """A progress that also notes in the plan what the part took so far, since a power cut leaves no time for it."""

        def report(done: int, total: int, **figures: float) -> None:
            if self.clock() - self._noted_at >= NOTED_EVERY:
                self._note_time()
            progress(done, total, **figures)

        return report

    @cached_property
    def supernet(self) -> PairSupernet:
        """The trained supernet."""
        fresh = fresh_supernet(self.recipe, self.family, self.pairs, self.splits)
        supernet, weights = fresh, load_tensors(self.run.supernet)[0]
        if shapes_of(supernet.state_dict()) != shapes_of(weights):
            raise DuonasError(
                f"{self.run.supernet} does not hold the weights of this recipe's supernet: it is from another run or "
                "another version of duonas; train it again in a new folder."
            )
        supernet.load_state_dict(weights)
        return supernet.to(self.device).eval()

    @cached_property
    def evaluator(self) -> Evaluator:
        """Evaluates archs on the val split, and caches their logits in the run directory."""
        return self.evaluator_on(self.splits.val, self.run.logits)

    def evaluator_on(self, images: Images, folder: Path | None) -> Evaluator:
        """Return an evaluator of archs on a split, recalibrated on the train split, with a cache in ``folder``."""
        options = self.recipe.search
        pixels = self.splits.train.pixels[: options.recalibration_images].to(self.device)
        name = checksum(self.run.supernet)
        return Evaluator(self.supernet, pixels, images.to(self.device), folder, options, name)

    def recalibrate(self, network: nn.Module) -> None:
        """Recalibrate a network's batch norms on training images without augmentation, as in the search."""
        options = self.recipe.search
        pixels = self.splits.train.pixels[: options.recalibration_images].to(self.device)
        recalibrate(network.to(self.device), recalibration_batches(pixels, options.batch_size))


def _note_nothing() -> None:
    """The note where no part of a plan goes on."""


def find_device(recipe: Recipe) -> torch.device:
    """Return the device of networks outside of training.

    Raises:
        DuonasError: this machine does not have the accelerator of ``[train]``.
    """
    wanted = recipe.train.accelerator
    check_accelerator(wanted)
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def fresh_supernet(
    recipe: Recipe,
    family: type[Family],
    pairs: PairSpace,
    splits: Splits,
    weights: Mapping[Role, Weights | None] | None = None,
    starts: Mapping[Role, Start] | None = None,
) -> PairSupernet:
    """Return the supernet of a recipe before training, with the weights that each tower starts from, if any.

    Args:
        recipe: the recipe.
        family: kind of network.
        pairs: the pair space.
        splits: the images.
        weights: pretrained weights, by role.
        starts: shared weights of another run, by role.
    """
    towers, kinds = [], kinds_of(recipe, family)
    for role in pairs.towers:
        rng = stream(recipe.seed, "init", *([] if role == "big" else [role]))
        kind, found = kinds[role], (weights or {}).get(role)
        mean, std = (splits.mean, splits.std) if found is None else (found.like.mean, found.like.std)
        first = starts[role].weights if starts and role in starts else None
        tower = build_supernet(kind.family, pairs.spaces[role], mean, std, rng, kind.table, first)
        if found is not None:
            start(tower, kind.family, found)
        towers.append(tower)
    return PairSupernet(pairs, *towers)


def read_splits(recipe: Recipe, progress: StageProgress) -> Splits:
    """Read the images of a recipe; decoding them, if needed, is a separate stage in the progress."""
    with lazy_stage(progress, "data") as report:
        return load_splits(recipe.data, recipe.seed, report)


@contextmanager
def cpu_threads(number: int | None) -> Iterator[None]:
    """Set the number of torch's CPU threads in this block, unless ``number`` is ``None``.

    On busy cores threads spin while they wait for each other, and one thread may be faster than several.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def shapes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor by its name."""
    return {name: tuple(value.shape) for name, value in weights.items()}
