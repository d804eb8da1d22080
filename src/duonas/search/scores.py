"""What each router makes of each little on the val split: made once, whatever big is to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.goal import Goal
from duonas.core.pair import PairArch, Subnet
from duonas.core.plugin import checksum_own
from duonas.core.protocols import Progress, silent
from duonas.core.rng import stream
from duonas.routing.route import scores
from duonas.routing.router import Answers, Router
from duonas.routing.routers.confidence import Confidence
from duonas.search.evaluate import SubnetResult
from duonas.search.prices import Pricer, PriceRow, PriceTable
from duonas.search.recombine import Judged

HELD = 2**28  # bytes of descriptions that stay in memory


class Evaluates(Protocol):
    """What a search asks of an evaluator: answers of a subnet on images with these labels (N,)."""

    labels: np.ndarray

    def evaluate(self, subnet: Subnet) -> SubnetResult:
        """What the subnet answers, logits (N, K)."""
        ...

    def describe(self, router: Router, subnet: Subnet, shared: int) -> Tensor:
        """What a router makes, (N, D), of what the first ``shared`` blocks of a subnet give; of the images if none."""
        ...

    def kept(
        self, name: str, about: Mapping[str, Any], compute: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """What ``compute`` gives, computed again only where it is not known from an earlier time, killed or not."""
        ...


class Scored(NamedTuple):
    """A router's scores (N,) float32 of a little's val images, and what it costs once it is fitted, in MACs."""

    score: np.ndarray
    macs: int


class _Waiting(NamedTuple):
    """A little and a router that may route it, by number, the blocks it shares, what its scores go by, and prices."""

    little: int
    router: int
    shared: int | None
    key: tuple[int, Subnet, int]
    row: PriceRow


class Scores:
    """Scores every little by every router, each once.

    A score depends on little, and at the stem on how many blocks it shares, but never on which big is its partner: so
    all pairs remain arithmetic. Where a router learns from big's answers, those of the largest arch of the space stand
    in for every big.

    A router that learns is fitted on one half of the val images and scores the other, and the other way round: no image
    is judged by a router that saw its label. Two fits need not agree on a scale, so the ranks of the scores within each
    half take their place, in (0, 1]: the fraction of images with no higher score. A confidence is taken as it is. What
    was learned is kept, so that a search that was killed need not learn it again.

    Args:
        evaluator: answers for one subnet at a time.
        pricer: holds the pairs and the routers.
        seed: of the halving, and of what is random in a fit.

    Raises:
        DuonasError: a router learns, and there is but one val image.
    """

    def __init__(self, evaluator: Evaluates, pricer: Pricer, seed: int) -> None:
        self._evaluator, self._pairs, self._routers, self._seed = evaluator, pricer.pairs, pricer.routers, seed
        self._known: dict[tuple[int, Subnet, int], Scored] = {}
        self._described: dict[tuple[int, tuple[BlockSpec, ...]], Tensor] = {}
        self._stand_in: np.ndarray | None = None
        count = len(evaluator.labels)
        if count < 2 and any(map(learns, self._routers)):
            raise DuonasError(f"a router that learns needs two images or more in the val split: it has {count}.")
        shuffled = stream(seed, "search", "halves").permutation(count)
        self._halves = np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])

    def take(self, result: SubnetResult) -> None:
        """Score what was just evaluated, if it may be a little, by every router that has only to look at its logits.

        The others score it when a pair asks for it: fitting takes longer than reading the answers once more.
        """
        if result.subnet.role != self._pairs.roles[-1]:
            return
        for number, router in enumerate(self._routers):
            if router.position == "after_little" and not learns(router):
                self._known[number, result.subnet, 0] = self._scored(number, result.subnet, 0, result.logits)

    def of(self, number: int, little: Subnet, shared: int) -> Scored:
        """What router ``number`` makes of a little that shares so many blocks with big."""
        key = self._key(number, little, shared)
        if key not in self._known:
            self._known[key] = self._scored(*key, self._evaluator.evaluate(little).logits)
        return self._known[key]

    def _key(self, number: int, little: Subnet, shared: int | None) -> tuple[int, Subnet, int]:
        """Only at the stem it matters how many blocks are shared."""
        return number, little, (shared or 0) if self._routers[number].position == "stem" else 0

    def of_pair(self, pair: PairArch, pricer: Pricer) -> Iterator[tuple[int, Scored]]:
        """The routers that can route a pair, by number, and their scores."""
        little, _ = pricer.pairs.subnets(pair)
        for number in pricer.possible(pair):
            yield number, self.of(number, little, pricer.pairs.shared(pair))

    def judged(self, table: PriceTable, goal: Goal, progress: Progress = silent) -> list[Judged]:
        """Every little of a table with every router that can judge it, and the bigs that the two go with.

        Args:
            table: of what was evaluated.
            goal: holds the constraints.
            progress: told of pairs, where their scores were not known.
        """
        waiting = list(self._waiting(table, goal))
        new = sum(len(each.row.bigs) for each in waiting if each.key not in self._known)
        judged, done = [], 0
        if new:
            progress(0, new)
        for little, number, shared, key, row in waiting:
            is_new = key not in self._known
            score, macs = self.of(*key)
            router = self._routers[number]
            if macs != router.macs:
                row = table.row(little, goal, router, shared, macs)
            judged.append(Judged(little, number, score, row))
            if is_new:
                done += len(row.bigs)
                progress(done, new)
        return judged

    def _waiting(self, table: PriceTable, goal: Goal) -> Iterator[_Waiting]:
        for little, subnet in enumerate(table.subnets):
            for number, shared, row in table.rows(little, goal):
                if len(row.bigs):
                    yield _Waiting(little, number, shared, self._key(number, subnet, shared), row)

    def _scored(self, number: int, little: Subnet, shared: int, logits: np.ndarray) -> Scored:
        router = self._routers[number]
        if not learns(router):
            return Scored(scores(router, self._seen(number, little, shared, logits)), router.macs)
        about = {
            "subnet": little.to_json(), "shared": shared, "seed": self._seed,
            "router": [router.name, router.position, repr(router) if is_dataclass(router) else repr(vars(router))],
            "source": checksum_own(router.name),
        }  # fmt: skip
        name = f"{little.id}-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]}"
        kept = self._evaluator.kept(name, about, lambda: self._learned(number, little, shared, logits))
        return Scored(kept["score"], int(kept["macs"][0]))

    def _learned(self, number: int, little: Subnet, shared: int, logits: np.ndarray) -> dict[str, np.ndarray]:
        """``score`` (N,) of a router that learns, and its ``macs`` (1,): the dearer one's of the two that were fitted.

        One of the halves may have taught it nothing.
        """
        router = self._routers[number]
        described = self._seen(number, little, shared, logits)
        answers = Answers(logits, self._big(), self._evaluator.labels)
        score, macs = np.empty(len(answers), np.float32), router.macs
        for half, (fitting, judging) in enumerate((self._halves, self._halves[::-1])):
            rng = stream(self._seed, "search", "router", router.name, little.id, half)
            fitted = router.fit(described[fitting], answers.take(fitting), rng)
            score[judging] = ranks(scores(fitted, described[judging]))
            macs = max(macs, fitted.macs)
        return {"score": score, "macs": np.array([macs])}

    def _seen(self, number: int, little: Subnet, shared: int, logits: np.ndarray) -> Tensor:
        """What a router sees, described (N, D)."""
        if self._routers[number].position != "after_little":
            return self._before_little(number, little, shared)
        with torch.inference_mode():
            return self._routers[number].describe(torch.from_numpy(logits))

    def _before_little(self, number: int, little: Subnet, shared: int) -> Tensor:
        """What a router sees before little runs, described; nested littles of one resolution have it in common."""
        key = number, self._pairs.blocks(little)[:shared]
        described = self._described.pop(key, None)
        if described is None:
            described = self._evaluator.describe(self._routers[number], little, shared)
        self._described[key] = described
        while sum(each.nbytes for each in self._described.values()) > HELD and len(self._described) > 1:
            del self._described[next(iter(self._described))]  # the one that was asked for the longest ago
        return described

    def _big(self) -> np.ndarray:
        if self._stand_in is None:
            self._stand_in = self._evaluator.evaluate(Subnet(self._pairs.space.largest())).logits
        return self._stand_in


def learns(router: Router) -> bool:
    """Whether a router has to be fitted before it can score; a confidence has not, at temperature 1."""
    return not isinstance(router, Confidence) and type(router).fit is not Router.fit


def ranks(score: np.ndarray) -> np.ndarray:
    """For each of (N,) scores the fraction of them that is no higher, float32; equal scores stay equal, NaN stays."""
    known = ~np.isnan(score)
    ranked = np.full(len(score), np.nan, np.float32)
    ranked[known] = rankdata(score[known], "max") / max(len(score), 1)
    return ranked
