"""A learned router: a small network that is taught who should answer (paper D, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.core.errors import DuonasError
from duonas.core.options import LearnedOptions, RouteOptions
from duonas.routing.chance import hashed, knows_more, places
from duonas.routing.gate import decide
from duonas.routing.gate import describe as describe_logits
from duonas.routing.metrics import area_above_chance
from duonas.routing.router import Answers, Position, Router
from duonas.routing.routers.confidence import entropy
from duonas.routing.routers.difficulty import variances

FOLDS = 3
GRID = 4  # side of the small picture that it sees of an image
SOFTNESS = 0.5  # temperature of the relaxed gate
PRICE, ASCENT = 3.0, 0.1  # of an excess of images that stay little: at once, and more with every step
SMALLEST = 1e-6  # standard deviation below which a feature says nothing


class Network(NamedTuple):
    """The weights: standardise, one hidden layer with ReLU, one number."""

    mean: Tensor  # (D,)
    scale: Tensor  # (D,)
    hidden: Tensor  # (H, D)
    hidden_bias: Tensor  # (H,)
    out: Tensor  # (1, H)
    out_bias: Tensor  # (1,)

    def gate(self, described: Tensor) -> Tensor:
        """(N, D) to the logit (N,) of staying little."""
        return decide(described, *(each.to(described.device) for each in self))

    @classmethod
    def fresh(cls, described: Tensor, width: int, generator: torch.Generator) -> Network:
        """Before training; it standardises by these images (N, D)."""
        deviation = described.std(0, correction=0)
        scale = torch.where(deviation > SMALLEST, 1 / deviation.clamp(min=SMALLEST), 0.0)
        size = described.shape[1]
        hidden = torch.randn(width, size, generator=generator) * (2 / size) ** 0.5
        out = torch.randn(1, width, generator=generator) / width**0.5
        return cls(described.mean(0), scale, hidden, torch.zeros(width), out, torch.zeros(1))

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """What is trained."""
        return self[2:]


@dataclass(frozen=True)
class Lesson:
    """What N images teach.

    Args:
        described: (N, D).
        target: (N,) in [0, 1], how much each should stay little.
        weight: (N,) of its supervised loss.
        regret: (N,) what little's loss is above big's, in standard deviations of that.
        share: of the images that should stay little, in (0, 1).
    """

    described: Tensor
    target: Tensor
    weight: Tensor
    regret: Tensor
    share: float

    def take(self, index: Tensor) -> Lesson:
        """What the images at ``index`` (M,) teach."""
        return Lesson(
            self.described[index], self.target[index], self.weight[index], self.regret[index], self.share
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Learned(Router):
    """A network of one hidden layer on what is seen.

    It is taught by images that neither network was trained on: on training images little is nearly always right. What
    it learned is believed only if it holds on images that it was not taught by; else it draws lots.

    Args:
        options: ``[route.learned]``.
        network: ``None`` before it is fitted, and where nothing could be learned: lots are drawn. One that is there
            before it is fitted is where its training starts, or with ``joint = "keep"`` all that is judged.
        report: what it was taught by and how that went: ``images``; ``hard_share``, of which little is wrong and big
            is right; ``gate_share``, that stay little at score 0; ``held_out_gain``, the area under the trade-off curve
            above the chord's, on images that it was not taught by; ``joint``, 1 where it
            goes on from a gate that was trained with the pair.
        position: ``"stem"``, ``"input"`` or ``"after_little"``.
    """

    options: LearnedOptions = field(default_factory=LearnedOptions)
    network: Network | None = None
    report: Mapping[str, float] = field(default_factory=dict)
    position: Position = "stem"

    name: ClassVar[str] = "learned"
    positions: ClassVar[tuple[Position, ...]] = ("stem", "input", "after_little")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Learned) and (self.position, self.to_json()) == (other.position, other.to_json())

    def __hash__(self) -> int:
        return hash((self.position, self.options))

    @classmethod
    def from_options(cls, options: RouteOptions) -> Learned:
        """With the options of ``[route.learned]``.

        Raises:
            DuonasError: it could not learn by them.
        """
        own = options.learned
        if not own.warm_start and own.refine == "none":
            raise DuonasError(
                "[route.learned] warm_start = false leaves nothing to train by: "
                "give refine = 'straight-through', 'gumbel' or 'reinforce'."
            )
        return cls._at(options.position, options=own)

    def starting_at(self, gate: Mapping[str, Tensor]) -> Learned:
        """The router that goes on from a gate trained with the pair, if it stands where that does and is to.

        Args:
            gate: the state of a ``training.gate.Gate``.
        """
        if self.position != "after_little" or self.options.joint == "ignore":
            return self
        return replace(self, network=Network(**gate))

    @property
    def macs(self) -> int:
        """Of its two linear layers."""
        return 0 if self.network is None else self.network.hidden.numel() + self.network.out.numel()

    def describe(self, seen: Tensor) -> Tensor:
        """What it learns from, (N, D).

        Of maps (N, C, H, W) each channel's mean and standard deviation, and of images a picture of about 4 x 4 pixels
        besides; of logits (N, K) the ten highest log-probabilities, the entropy and the logarithm of the sum of the
        exponentials.
        """
        seen = seen.float()
        if self.position == "after_little":
            return describe_logits(seen)
        parts = [seen.mean((2, 3)), variances(seen).sqrt()]
        if self.position == "input":
            parts.append(F.avg_pool2d(seen, max(1, seen.shape[2] // GRID)).flatten(1))
        return torch.cat(parts, dim=1)

    def judge(self, described: Tensor) -> Tensor:
        """(N, D) to scores (N,): the logit of staying little."""
        return hashed(described) if self.network is None else self.network.gate(described)

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Learned:
        """The router that these images teach, or one that draws lots if that does not hold on others."""
        hard = float(np.mean(~answers.little_right & answers.big_right))
        report = {"images": float(len(answers)), "hard_share": hard} | ({"joint": 1.0} if self.network else {})
        if not 0 < hard < 1 or len(answers) < 2 * FOLDS:
            return replace(self, network=None, report=report)
        with torch.inference_mode(False), torch.enable_grad():
            lesson = prepare(described.clone(), answers, self.options)
            if self.network is not None and self.options.joint == "keep":
                network, held_out = self.network, self.network.gate(lesson.described).numpy()  # all are new to it
            else:
                held_out = _held_out(lesson, self.options, rng, self.network)
                network = train(lesson, self.options, rng, self.network)
        report["gate_share"] = float((network.gate(lesson.described) >= 0).float().mean())
        report["held_out_gain"] = area_above_chance(held_out, answers)
        return replace(self, network=network if knows_more(held_out, answers) else None, report=report)

    def to_json(self) -> dict[str, Any]:
        """Options, report and weights; float32 survives JSON exactly."""
        network = self.network and {name: each.tolist() for name, each in self.network._asdict().items()}
        return {"options": asdict(self.options), "report": dict(self.report), "network": network}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Learned:
        """The router that ``to_json`` described."""
        network = value["network"] and Network(**{name: torch.tensor(each) for name, each in value["network"].items()})
        options = LearnedOptions(**value["options"])
        return cls._at(position, options=options, network=network, report=dict(value["report"]))


def prepare(described: Tensor, answers: Answers, options: LearnedOptions) -> Lesson:
    """What images (N, D) teach by the signal that is asked for."""
    little, big, labels = map(torch.from_numpy, (answers.little, answers.big, np.asarray(answers.labels, np.int64)))
    easy = torch.from_numpy(~(~answers.little_right & answers.big_right)).float()
    worse = F.cross_entropy(little, labels, reduction="none") - F.cross_entropy(big, labels, reduction="none")
    target = {"oracle": easy, "entropy": entropy(little), "loss": torch.sigmoid(-worse)}[options.signal]
    weight = torch.ones_like(easy)
    if options.signal == "oracle" and options.balance:
        # Hard images are few: as much weight in all as the easy ones.
        weight = torch.where(easy > 0, 0.5 / easy.mean(), 0.5 / (1 - easy.mean()))
    share = float(easy.mean()) if options.share is None else options.share
    return Lesson(described, target, weight, worse / worse.std().clamp(min=SMALLEST), share)


def train(lesson: Lesson, options: LearnedOptions, rng: np.random.Generator, start: Network | None = None) -> Network:
    """A network taught by a lesson: first by its targets, then by what its decisions cost.

    Args:
        lesson: of N images.
        options: ``[route.learned]``.
        rng: for its first weights, and for decisions that are drawn.
        start: it goes on from this one instead of from drawn weights.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    if start is None:
        network = Network.fresh(lesson.described, options.hidden, generator)
    else:
        network = Network(*(each.clone() for each in start))
    if options.warm_start:
        _descend(network, options, lambda: _supervised(network, lesson))
    if options.refine != "none":
        _descend(network, options, _Refinement(network, lesson, options, generator))
    return Network(*(each.detach() for each in network))


def _descend(network: Network, options: LearnedOptions, loss: Callable[[], Tensor]) -> None:
    for each in network.weights:
        each.requires_grad_(True)
    optimiser = torch.optim.AdamW(network.weights, lr=options.lr, weight_decay=options.weight_decay)
    for _ in range(options.steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()


def _supervised(network: Network, lesson: Lesson) -> Tensor:
    return F.binary_cross_entropy_with_logits(network.gate(lesson.described), lesson.target, lesson.weight)


Decision = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


class _Refinement:
    """The loss of the gate's own decisions, at a share that is held by dual ascent.

    Staying little has a price that rises while too many images stay and falls while too few do, so that the gate cannot
    end at "always" or "never".
    """

    def __init__(self, network: Network, lesson: Lesson, options: LearnedOptions, generator: torch.Generator) -> None:
        self.network, self.lesson, self.generator = network, lesson, generator
        self.decide, self.held = _decision(options.refine), options.hold_share
        self.price = self.excess = 0.0

    def __call__(self) -> Tensor:
        logit = self.network.gate(self.lesson.described)
        loss, stay = self.decide(logit, self.lesson.regret + self.price + PRICE * self.excess, self.generator)
        if self.held:
            self.excess = float(stay) - self.lesson.share
            self.price += ASCENT * self.excess
        return loss


def straight_through(logit: Tensor, regret: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hard decisions with the gradient of soft ones (Bengio et al. 2013).

    Args:
        logit: (N,) of staying little.
        regret: (N,) what it costs to stay.
        generator: for decisions that are drawn.

    Returns:
        The loss, and the share that stays.
    """
    soft = torch.sigmoid(logit)
    gate = (logit >= 0).float() + soft - soft.detach()
    return (gate * regret).mean(), gate.detach().mean()


def gumbel(logit: Tensor, regret: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Soft decisions with noise (Jang et al. 2017); arguments and results as above. The noise is here only."""
    even = torch.rand(logit.shape, generator=generator).clamp(SMALLEST, 1 - SMALLEST)
    gate = torch.sigmoid((logit + even.logit()) / SOFTNESS)
    return (gate * regret).mean(), gate.detach().mean()


class Reinforce:
    """Drawn decisions, each made likelier the cheaper it was than usual (Williams 1992); likewise."""

    def __init__(self) -> None:
        self.usual = 0.0  # the moving mean of what a decision costs

    def __call__(self, logit: Tensor, regret: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Loss and share of one draw."""
        stay = torch.bernoulli(torch.sigmoid(logit.detach()), generator=generator)
        cost = stay * regret
        unlikely = F.binary_cross_entropy_with_logits(logit, stay, reduction="none")
        loss = -((cost - self.usual) * unlikely).mean()
        self.usual = 0.9 * self.usual + 0.1 * float(cost.mean())
        return loss, stay.mean()


def _decision(refine: str) -> Decision:
    known: dict[str, Decision] = {"straight-through": straight_through, "gumbel": gumbel, "reinforce": Reinforce()}
    return known[refine]


def _held_out(lesson: Lesson, options: LearnedOptions, rng: np.random.Generator, start: Network | None) -> np.ndarray:
    """Each image's place (N,) in the scores of a network that it did not teach."""
    count = len(lesson.target)
    folds = np.array_split(rng.permutation(count), FOLDS)
    held = np.empty(count)
    for fold in folds:
        rest = np.setdiff1d(np.arange(count), fold)
        network = train(lesson.take(torch.from_numpy(rest)), options, rng, start)
        held[fold] = places(network.gate(lesson.described[torch.from_numpy(fold)]).numpy())
    return held
