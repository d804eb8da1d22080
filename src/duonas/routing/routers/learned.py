"""A learned router: a small network that is trained to predict who should answer (paper D, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.core.errors import DuonasError
from duonas.core.fields import Count, NotNegative, OpenFraction, Positive
from duonas.routing.chance import hashed, knows_more, places
from duonas.routing.gate import decide
from duonas.routing.gate import describe as describe_logits
from duonas.routing.metrics import area_above_chance
from duonas.routing.options import RouteOptions
from duonas.routing.router import Answers, Position, Router
from duonas.routing.routers.difficulty import variances
from duonas.routing.scores.entropy import Entropy

FOLDS = 3
GRID = 4  # side of the downscaled image among the features
SOFTNESS = 0.5  # temperature of the relaxed gate
PRICE, ASCENT = 3.0, 0.1  # penalty of an excess of images that stay little, and the step size of its dual ascent
SMALLEST = 1e-6  # standard deviation below which a feature counts as constant


@dataclass(frozen=True)
class LearnedOptions:
    """``[route.learned]``: how a learned router is trained, on half of the calib split."""

    signal: Literal["oracle", "entropy", "loss"] = "oracle"
    """Target of the first training: the oracle's decision ("oracle": big only where little is wrong and big is right),
    little's confidence ("entropy"), or how far big's loss is below little's ("loss")."""
    balance: bool = True
    """Whether hard images together weigh as much as all easy ones, with signal "oracle"."""
    warm_start: bool = True
    """Whether to do the first training, or only the refinement."""
    refine: Literal["none", "straight-through", "gumbel", "reinforce"] = "none"
    """How the router is then trained on the loss of its decisions: not at all, by hard decisions with soft gradients,
    by soft decisions with noise (Gumbel-Softmax), or by sampled decisions (policy gradient)."""
    share: OpenFraction | None = None
    """Little share that the refinement aims at; default: the oracle's."""
    hold_share: bool = True
    """Whether the refinement penalises deviations from that share; without it, the router may end at one network."""
    joint: Literal["start", "keep", "ignore"] = "start"
    """What to do with a gate that was trained with the pair: start from it, keep it unchanged, or ignore it."""
    hidden: Count = 32
    """Units of the hidden layer; a gate that was trained with the pair has 32."""
    steps: Count = 100
    """Steps of each training, all over the full batch."""
    lr: Positive = 0.01
    """Learning rate of AdamW."""
    weight_decay: NotNegative = 0.1
    """Weight decay of AdamW."""


class Network(NamedTuple):
    """Weights of the network: standardisation, one hidden layer with ReLU, one output."""

    mean: Tensor  # (D,)
    scale: Tensor  # (D,)
    hidden: Tensor  # (H, D)
    hidden_bias: Tensor  # (H,)
    out: Tensor  # (1, H)
    out_bias: Tensor  # (1,)

    def gate(self, described: Tensor) -> Tensor:
        """Return the logit (N,) of staying little from features (N, D)."""
        return decide(described, *(each.to(described.device) for each in self))

    @classmethod
    def fresh(cls, described: Tensor, width: int, generator: torch.Generator) -> Network:
        """Return untrained weights that standardise by these features (N, D)."""
        deviation = described.std(0, correction=0)
        scale = torch.where(deviation > SMALLEST, 1 / deviation.clamp(min=SMALLEST), 0.0)
        size = described.shape[1]
        hidden = torch.randn(width, size, generator=generator) * (2 / size) ** 0.5
        out = torch.randn(1, width, generator=generator) / width**0.5
        return cls(described.mean(0), scale, hidden, torch.zeros(width), out, torch.zeros(1))

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """The trainable tensors."""
        return self[2:]


@dataclass(frozen=True)
class Lesson:
    """The training set of a learned router, of N images.

    Args:
        described: features (N, D).
        target: (N,) in [0, 1], 1 where the image should stay little.
        weight: weight (N,) in the supervised loss.
        regret: (N,) little's loss minus big's, divided by its standard deviation.
        share: fraction of the images that should stay little, in (0, 1).
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

    positions: ClassVar[tuple[Position, ...]] = ("stem", "input", "after_little")

    @dataclass(frozen=True)
    class Options(RouteOptions):
        """Keys of ``[route]``."""

        router: str = "learned"
        learned: LearnedOptions = field(default_factory=LearnedOptions)
        """How the router is trained."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Learned) and (self.position, self.to_json()) == (other.position, other.to_json())

    def __hash__(self) -> int:
        return hash((self.position, self.options))

    @classmethod
    def from_options(cls, options: Options) -> Learned:
        """Build the router with the options of ``[route.learned]``.

        Raises:
            DuonasError: the options leave no training.
        """
        own = options.learned
        if not own.warm_start and own.refine == "none":
            raise DuonasError(
                "[route.learned] warm_start = false with refine = 'none' leaves the router untrained: "
                "set refine to 'straight-through', 'gumbel' or 'reinforce'."
            )
        return cls._at(options.position, options=own)

    def starting_at(self, gate: Mapping[str, Tensor]) -> Learned:
        """Return the router that starts from a gate trained with the pair; unchanged at another position.

        Args:
            gate: the state of a ``routing.gate.Gate``.
        """
        if self.position != "after_little" or self.options.joint == "ignore":
            return self
        return replace(self, network=Network(**gate))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the two linear layers."""
        return 0 if self.network is None else self.network.hidden.numel() + self.network.out.numel()

    def describe(self, seen: Tensor) -> Tensor:
        """Return the features (N, D) of images, maps or logits.

        For maps (N, C, H, W) these are mean and standard deviation of each channel, for images also the pixels of a
        downscaled image of about 4 x 4 pixels; for logits (N, K) see ``routing.gate.describe``.
        """
        seen = seen.float()
        if self.position == "after_little":
            return describe_logits(seen)
        parts = [seen.mean((2, 3)), variances(seen).sqrt()]
        if self.position == "input":
            parts.append(F.avg_pool2d(seen, max(1, seen.shape[2] // GRID)).flatten(1))
        return torch.cat(parts, dim=1)

    def judge(self, described: Tensor) -> Tensor:
        """Return the scores (N,) of features (N, D): the logits of staying little."""
        return hashed(described) if self.network is None else self.network.gate(described)

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Learned:
        """Train the router; one that is not significantly better than chance on held-out images routes at random."""
        hard = float(np.mean(~answers.little_right & answers.big_right))
        report = {"images": float(len(answers)), "hard_share": hard} | ({"joint": 1.0} if self.network else {})
        if not 0 < hard < 1 or len(answers) < 2 * FOLDS:
            return replace(self, network=None, report=report)
        with torch.inference_mode(False), torch.enable_grad():
            lesson = prepare(described.clone(), answers, self.options)
            if self.network is not None and self.options.joint == "keep":
                network, held_out = self.network, self.network.gate(lesson.described).numpy()  # held out: all images
            else:
                held_out = _held_out(lesson, self.options, rng, self.network)
                network = train(lesson, self.options, rng, self.network)
        report["gate_share"] = float((network.gate(lesson.described) >= 0).float().mean())
        report["held_out_gain"] = area_above_chance(held_out, answers)
        return replace(self, network=network if knows_more(held_out, answers) else None, report=report)

    def to_json(self) -> dict[str, Any]:
        """Return options, report and weights; float32 values are exact in JSON."""
        network = self.network and {name: each.tolist() for name, each in self.network._asdict().items()}
        return {"options": asdict(self.options), "report": dict(self.report), "network": network}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Learned:
        """Build the router from the result of ``to_json``."""
        network = value["network"] and Network(**{name: torch.tensor(each) for name, each in value["network"].items()})
        options = LearnedOptions(**value["options"])
        return cls._at(position, options=options, network=network, report=dict(value["report"]))


def prepare(described: Tensor, answers: Answers, options: LearnedOptions) -> Lesson:
    """Return the training set of features (N, D) for ``options.signal``."""
    little, big, labels = map(torch.from_numpy, (answers.little, answers.big, np.asarray(answers.labels, np.int64)))
    easy = torch.from_numpy(~(~answers.little_right & answers.big_right)).float()
    worse = F.cross_entropy(little, labels, reduction="none") - F.cross_entropy(big, labels, reduction="none")
    target = {"oracle": easy, "entropy": Entropy()(little), "loss": torch.sigmoid(-worse)}[options.signal]
    weight = torch.ones_like(easy)
    if options.signal == "oracle" and options.balance:
        # Hard images are few: give them the same total weight as the easy ones.
        weight = torch.where(easy > 0, 0.5 / easy.mean(), 0.5 / (1 - easy.mean()))
    share = float(easy.mean()) if options.share is None else options.share
    return Lesson(described, target, weight, worse / worse.std().clamp(min=SMALLEST), share)


def train(lesson: Lesson, options: LearnedOptions, rng: np.random.Generator, start: Network | None = None) -> Network:
    """Train a network: first on the targets, then on the loss of its decisions.

    Args:
        lesson: the training set of N images.
        options: ``[route.learned]``.
        rng: generator for initial weights and sampled decisions.
        start: initial weights; default: random ones.
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
    """The loss of the gate's decisions, with dual ascent on the little share.

    Staying little has a penalty that rises while too many images stay and falls while too few do, so that the gate
    cannot collapse to one network.
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
    """Return the loss and little share of hard decisions with the gradient of soft ones (Bengio et al. 2013).

    Args:
        logit: logits (N,) of staying little.
        regret: cost (N,) of staying little.
        generator: unused here; generator of sampled decisions.
    """
    soft = torch.sigmoid(logit)
    gate = (logit >= 0).float() + soft - soft.detach()
    return (gate * regret).mean(), gate.detach().mean()


def gumbel(logit: Tensor, regret: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the loss and little share of soft decisions with noise (Jang et al. 2017); see ``straight_through``."""
    even = torch.rand(logit.shape, generator=generator).clamp(SMALLEST, 1 - SMALLEST)
    gate = torch.sigmoid((logit + even.logit()) / SOFTNESS)
    return (gate * regret).mean(), gate.detach().mean()


class Reinforce:
    """The policy gradient of sampled decisions, with a moving-average baseline (Williams 1992)."""

    def __init__(self) -> None:
        self.baseline = 0.0  # moving average of the cost of a decision

    def __call__(self, logit: Tensor, regret: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the loss and little share of one sample; see ``straight_through``."""
        stay = torch.bernoulli(torch.sigmoid(logit.detach()), generator=generator)
        cost = stay * regret
        unlikely = F.binary_cross_entropy_with_logits(logit, stay, reduction="none")
        loss = -((cost - self.baseline) * unlikely).mean()
        self.baseline = 0.9 * self.baseline + 0.1 * float(cost.mean())
        return loss, stay.mean()


def _decision(refine: str) -> Decision:
    known: dict[str, Decision] = {"straight-through": straight_through, "gumbel": gumbel, "reinforce": Reinforce()}
    return known[refine]


def _held_out(lesson: Lesson, options: LearnedOptions, rng: np.random.Generator, start: Network | None) -> np.ndarray:
    """Return each image's rank (N,) by a network that was trained on other folds."""
    count = len(lesson.target)
    folds = np.array_split(rng.permutation(count), FOLDS)
    held = np.empty(count)
    for fold in folds:
        rest = np.setdiff1d(np.arange(count), fold)
        network = train(lesson.take(torch.from_numpy(rest)), options, rng, start)
        held[fold] = places(network.gate(lesson.described[torch.from_numpy(fold)]).numpy())
    return held
