"""Scores of every little on the val split by every router, computed once for all bigs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, Subnet
from duonas.core.protocols import Progress, silent
from duonas.core.registry import source_hash
from duonas.core.rng import stream
from duonas.routing.route import scores
from duonas.routing.router import Answers, Router
from duonas.routing.routers.confidence import Confidence
from duonas.search.evaluate import NO_READINGS, Reading, SubnetResult
from duonas.search.pair_table import PairTable, PriceRow
from duonas.search.prices import Prices

HELD = 2**28  # bytes of routers' features to hold in memory
LOGITS = "logits"


class Evaluates(Protocol):
    """The interface of evaluators: they evaluate subnets on images with these labels (N,)."""

    labels: np.ndarray

    def evaluate(self, subnet: Subnet, readings: Mapping[str, Reading] = NO_READINGS) -> SubnetResult:
        """Evaluate a subnet."""
        ...

    def describe(self, router: Router, subnet: Subnet, shared: int) -> Tensor:
        """A router's features (N, D) of the output of a subnet's first ``shared`` blocks, or of the images if 0."""
        ...

    def kept(
        self,
        name: str,
        about: Mapping[str, Any],
        compute: Callable[[], dict[str, np.ndarray]],
        wanted: Collection[str] = (),
    ) -> dict[str, np.ndarray]:
        """The arrays of ``compute``, from the cache if possible; see ``Evaluator.kept``."""
        ...


@runtime_checkable
class EvaluatesAhead(Evaluates, Protocol):
    """The interface of evaluators that begin with subnets before these are evaluated."""

    def ahead(self, wanted: Mapping[Subnet, Collection[str]]) -> None:
        """Begin with subnets; they will be evaluated in this order, with readings of these names."""
        ...


class Scored(NamedTuple):
    """A router's scores (N,) float32 of the val images, and its MACs after fitting."""

    score: np.ndarray
    macs: int


class Judged(NamedTuple):
    """A little with a router's scores, and the prices of their pairs.

    Args:
        little: number of the subnet.
        router: number of the router.
        score: (N,) float32 of the val images.
        macs: the MACs of the router's score.
        row: the prices of the pairs with this router.
    """

    little: int
    router: int
    score: np.ndarray
    macs: int
    row: PriceRow


class _Key(NamedTuple):
    """What a score depends on: the number of the router, little, and at the stem the number of shared blocks."""

    router: int
    little: Subnet
    shared: int


class Scores:
    """Scores every little by every router, once.

    A score depends on little, and at the stem on the number of shared blocks, but not on big. Where a router learns
    from big's predictions, the largest arch of the space represents every big.

    A router that learns is fitted on one half of the val images and scores the other half, and vice versa, so that no
    image is scored by a router that was fitted on it. Since the scales of the two fits may differ, scores are replaced
    by their ranks within each half, in (0, 1]. Confidences are used as they are. Learned scores are cached.

    ``readings`` are the arrays to cache of little's logits: the scores of routers after little that do not learn, and
    the logits if a router learns.

    Args:
        evaluator: evaluates one subnet at a time.
        prices: of the pairs with their routers.
        seed: of the halves, and of fitting.

    Raises:
        DuonasError: a router learns, and there is only one val image.
    """

    def __init__(self, evaluator: Evaluates, prices: Prices, seed: int) -> None:
        self._evaluator, self._pairs, self._routers, self._seed = evaluator, prices.pairs, prices.routers, seed
        self._known: dict[_Key, Scored] = {}
        self._described: dict[tuple[int, tuple[BlockSpec, ...]], Tensor] = {}
        self._stand_in: np.ndarray | None = None
        self._identities = [_identity(router) for router in self._routers]  # once: a file may be edited meanwhile
        self._names = [f"score-{_digest(identity)}" for identity in self._identities]
        self.readings: dict[str, Reading] = {}
        for name, router in zip(self._names, self._routers, strict=True):
            if learns(router):
                self.readings[LOGITS] = _logits
            elif router.position == "after_little":
                self.readings[name] = _reading(router)
        count = len(evaluator.labels)
        if count < 2 and LOGITS in self.readings:
            raise DuonasError(f"a router that learns needs at least two images in the val split: it has {count}.")
        shuffled = stream(seed, "search", "halves").permutation(count)
        self._halves = np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])

    def take(self, result: SubnetResult) -> None:
        """Add the scores that were computed in the evaluation of a little."""
        for number, (name, router) in enumerate(zip(self._names, self._routers, strict=True)):
            if name in result.readings:
                self._known[_Key(number, result.subnet, 0)] = Scored(result.readings[name], router.macs)

    def of(self, number: int, little: Subnet, shared: int | None) -> Scored:
        """The scores of a little that shares ``shared`` blocks with big, by router ``number``."""
        key = self._key(number, little, shared)
        if key not in self._known:
            self._known[key] = self._scored(key)
        return self._known[key]

    def of_pair(self, pair: PairArch, prices: Prices) -> Iterator[tuple[int, Scored]]:
        """The numbers and scores of the routers that can route a pair."""
        little, _ = prices.pairs.subnets(pair)
        for number in prices.possible(pair):
            yield number, self.of(number, little, prices.pairs.shared(pair))

    def judged(self, table: PairTable, progress: Progress = silent) -> list[Judged]:
        """The scores of every little of a table by every router, with the prices of their pairs.

        Args:
            table: the evaluated subnets.
            progress: called with the number of pairs whose scores are new.
        """
        waiting = [
            (little, number, shared, row)
            for little in range(len(table.subnets))
            for number, shared, row in table.rows(little)
            if len(row.bigs)
        ]
        keys = [self._key(number, table.subnets[little], shared) for little, number, shared, _ in waiting]
        new = sum(len(each[-1].bigs) for each, key in zip(waiting, keys, strict=True) if key not in self._known)
        judged, done = [], 0
        if new:
            progress(0, new)
        for (little, number, shared, row), key in zip(waiting, keys, strict=True):
            is_new = key not in self._known
            score, macs = self.of(*key)
            if macs != self._routers[number].macs:
                row = table.row(little, number, shared, macs)
            if len(row.bigs):  # a fitted router may cost too much
                judged.append(Judged(little, number, score, macs, row))
            if is_new:
                done += len(row.bigs)
                progress(done, new)
        return judged

    def _key(self, number: int, little: Subnet, shared: int | None) -> _Key:
        return _Key(number, little, (shared or 0) if self._routers[number].position == "stem" else 0)

    def _scored(self, key: _Key) -> Scored:
        router, little = self._routers[key.router], key.little
        if not learns(router):
            if router.position == "after_little":
                result = self._evaluator.evaluate(little, self.readings)
                return Scored(result.readings[self._names[key.router]], router.macs)
            return Scored(scores(router, self._before_little(key)), router.macs)
        about = {"subnet": little.to_json(), "shared": key.shared, "seed": self._seed} | self._identities[key.router]
        name = f"{little.id}-{_digest(about)}"
        kept = self._evaluator.kept(name, about, lambda: self._learned(key))
        return Scored(kept["score"], int(kept["macs"][0]))

    def _learned(self, key: _Key) -> dict[str, np.ndarray]:
        """``score`` (N,) of a router that learns, and ``macs`` (1,): the larger value of its two fits."""
        router, little = self._routers[key.router], key.little
        logits = self._evaluator.evaluate(little, self.readings).readings[LOGITS]
        described = _described(router, logits) if router.position == "after_little" else self._before_little(key)
        answers = Answers(logits, self._big(), self._evaluator.labels)
        score, macs = np.empty(len(answers), np.float32), router.macs
        for half, (fitting, judging) in enumerate((self._halves, self._halves[::-1])):
            rng = stream(self._seed, "search", "router", router.name, little.id, half)
            fitted = router.fit(described[fitting], answers.take(fitting), rng)
            score[judging] = ranks(scores(fitted, described[judging]))
            macs = max(macs, fitted.macs)
        return {"score": score, "macs": np.array([macs])}

    def _before_little(self, key: _Key) -> Tensor:
        """A router's features before little runs, which nested littles of one resolution share."""
        place = key.router, self._pairs.blocks(key.little)[: key.shared]
        described = self._described.pop(place, None)
        if described is None:
            described = self._evaluator.describe(self._routers[key.router], key.little, key.shared)
        self._described[place] = described
        while sum(each.nbytes for each in self._described.values()) > HELD and len(self._described) > 1:
            del self._described[next(iter(self._described))]  # the least recently used
        return described

    def _big(self) -> np.ndarray:
        if self._stand_in is None:
            largest = Subnet(self._pairs.space.largest())
            self._stand_in = self._evaluator.evaluate(largest, {LOGITS: _logits}).readings[LOGITS]
        return self._stand_in


def learns(router: Router) -> bool:
    """Whether a router must be fitted before it can score; a confidence need not be, at temperature 1."""
    return not isinstance(router, Confidence) and type(router).fit is not Router.fit


def ranks(score: np.ndarray) -> np.ndarray:
    """For each of (N,) scores the fraction of scores that are not higher, float32; NaN stays NaN."""
    known = ~np.isnan(score)
    ranked = np.full(len(score), np.nan, np.float32)
    ranked[known] = rankdata(score[known], "max") / max(len(score), 1)
    return ranked


def _logits(subnet: Subnet, logits: np.ndarray) -> np.ndarray:
    return logits


def _reading(router: Router) -> Reading:
    return lambda subnet, logits: scores(router, _described(router, logits))


def _described(router: Router, logits: np.ndarray) -> Tensor:
    with torch.inference_mode():
        return router.describe(torch.from_numpy(logits))


def _identity(router: Router) -> dict[str, Any]:
    """Everything that a router's scores depend on, as JSON."""
    options = repr(router) if is_dataclass(router) else repr(vars(router))
    scores = [source_hash(router.function)] if isinstance(router, Confidence) else []
    return {"router": [router.name, router.position, options], "source": [source_hash(router.name), *scores]}


def _digest(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]
