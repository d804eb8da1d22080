"""Evolution on predicted accuracies, of which the most promising and the most uncertain are evaluated (OFA)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from duonas.core.errors import DuonasError
from duonas.core.fields import Count
from duonas.core.pair import PairArch, Subnet
from duonas.core.rng import stream
from duonas.core.trial import Candidate, Point, Trial
from duonas.costs.calibration import kendall
from duonas.search.accuracy_model import AccuracyModel, Regressor
from duonas.search.curves import Curves
from duonas.search.metric import ACCURACY, ArchMetric, PairMetric
from duonas.search.options import SearchOptions
from duonas.search.problem import Problem
from duonas.search.strategies.nsga2 import Nsga2
from duonas.search.strategy import Strategy
from duonas.search.variation import drawn_router, minimised, spread

LEAST = 10  # evaluations: half of them to learn from
PATIENCE = 200  # draws without a new pair after which the space counts as exhausted
SHARES = np.linspace(0, 1, 21)  # at which a trade-off curve is predicted


@dataclass(frozen=True)
class PredictorOptions:
    """``[search.predictor]``: the strategy ``predictor`` (OFA: Cai et al. 2020)."""

    regressor: Regressor = "trees"
    """What predicts accuracies: "mlp", five networks; "trees", five times gradient-boosted trees; "gp", a Gaussian
    process, which is slow beyond some hundred archs."""
    first: Count = 40
    """Pairs to learn from before the first prediction, at most half of all evaluations."""
    batch: Count = 20
    """Pairs to evaluate between two fits of the predictor."""
    uncertain: Annotated[float, Ge(0), Le(1)] = 0.25
    """The part of a batch that is chosen for its uncertainty; the other pairs are the most promising ones."""
    population: Count = 60
    """Pairs of a generation of the evolution on predictions."""
    generations: Count = 8
    """Generations of the evolution on predictions, for each batch."""


class Predictor(Strategy):
    """Learns to predict the accuracy of both networks of a pair, and searches by what it predicts.

    For each batch NSGA-II runs on predicted objectives. The trade-off curve of a pair is predicted from the accuracies
    of its networks: the line between them, and above it what the router gains, as in the trials so far. What the batch
    reaches is learned before the next one.
    """

    @dataclass(frozen=True)
    class Options(SearchOptions):
        """Keys of ``[search]``."""

        strategy: str = "predictor"
        predictor: PredictorOptions = field(default_factory=PredictorOptions)
        """The regressor, and how many pairs are evaluated and predicted."""

    def __init__(self, problem: Problem, options: Options, seed: int) -> None:
        super().__init__(problem, options, seed)
        if options.evaluations < LEAST:
            raise DuonasError(
                f"[search] strategy 'predictor' needs at least {LEAST} evaluations, got evaluations = "
                f"{options.evaluations}: raise it, or take strategy = 'random'."
            )
        self._sizes = options.predictor
        self._rng = stream(seed, "search", "predictor")
        metrics = problem.goal.metrics.values()
        self._dear = [each for each in metrics if isinstance(each, ArchMetric) and each.dear]
        names = [ACCURACY, *(each.called for each in self._dear)]
        self._models = {name: AccuracyModel(problem.pairs, self._sizes.regressor, seed) for name in names}
        self._known: dict[str, dict[Subnet, float]] = {name: {} for name in names}
        self._gains: dict[int, list[tuple[float, float]]] = {}
        self._seen: set[PairArch] = set()
        self._batch: list[Candidate] = []
        self._proposed = self._told = 0

    def ask(self, n: int) -> list[Candidate]:
        """Return up to ``n`` pairs of this batch; the next batch is chosen when all its trials are known."""
        if self._told == len(self._batch):
            self._batch = self._promising_and_uncertain() if self._known[ACCURACY] else self._first()
            self._seen.update(candidate.pair for candidate in self._batch)
            self._proposed = self._told = 0
        candidates = self._batch[self._proposed : self._proposed + n]
        self._proposed += len(candidates)
        return candidates

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn what the networks of the proposed pairs reach, and what their routers gain."""
        self._told = self._proposed  # those of them that a filter left out have no trials
        for trial in trials:
            members = zip(self.problem.pairs.subnets(trial.pair), (trial.little, trial.big), strict=True)
            for subnet, figures in members:
                for name, known in self._known.items():
                    known[subnet] = figures[name]
            for point in (trial.point, trial.best):
                share = point.little_share
                chord = share * trial.little[ACCURACY] + (1 - share) * trial.big[ACCURACY]
                self._gains.setdefault(point.router, []).append((share * (1 - share), point.accuracy - chord))

    def findings(self) -> dict[str, Any]:
        """Kendall's tau of predicted and evaluated accuracies, by role, each arch predicted where it was held out."""
        known = self._known[ACCURACY]
        predicted = self._models[ACCURACY].held_out(known)
        found = {}
        for role, mine in predicted.items():
            evaluated = np.array([accuracy for subnet, accuracy in known.items() if subnet.role == role])
            found[role] = {"archs": len(mine), "kendall": kendall(mine, evaluated)}
        taus = [f"{each['kendall']:.2f} over {each['archs']} archs of {role}" for role, each in found.items()
                if each["kendall"] is not None]  # fmt: skip
        said = f"The predictor ({self._sizes.regressor}) ranks archs that it was not fitted to by a Kendall's tau of "
        return {
            "regressor": self._sizes.regressor, "held_out": found,
            "said": f"{said}{' and '.join(taus)}." if taus else "",
        }  # fmt: skip

    def _first(self) -> list[Candidate]:
        return spread(self.problem, min(self._sizes.first, self.options.evaluations // 2), self._rng)

    def _promising_and_uncertain(self) -> list[Candidate]:
        """The next batch: from the predicted fronts, then what is predicted least surely, then at random."""
        for name, model in self._models.items():
            model.learn(self._known[name])
        pool = [each for each in self._evolved() if each[0].pair not in self._seen]
        count = self._sizes.batch
        best = round((1 - self._sizes.uncertain) * count)
        chosen = _from_fronts(np.array([row for _, row, _ in pool]), best) if pool else []
        rest = sorted(set(range(len(pool))) - set(chosen), key=lambda number: (-pool[number][2], number))
        chosen += rest[: count - len(chosen)]
        found = {pool[number][0].pair: pool[number][0] for number in chosen}
        misses = 0
        while len(found) < count and misses < PATIENCE:
            pair = self.problem.sample(self._rng)
            if pair in found or pair in self._seen:
                misses += 1
                continue
            misses, found[pair] = 0, Candidate(pair, float(self._rng.random()), drawn_router(self.problem, self._rng))
        return list(found.values())

    def _evolved(self) -> Iterator[tuple[Candidate, list[float], float]]:
        """The pairs of an evolution on predictions, with their predicted objectives and their uncertainty."""
        sizes, draw = self._sizes, int(self._rng.integers(2**31))
        options = Nsga2.Options(population=sizes.population, evaluations=sizes.population * sizes.generations)
        inner = Nsga2(self.problem, options, draw)
        lifts = {router: _lift(gains) for router, gains in self._gains.items()}
        for _ in range(sizes.generations):
            candidates = inner.ask(sizes.population)
            if not candidates:
                return
            subnets = [subnet for each in candidates for subnet in self.problem.pairs.subnets(each.pair)]
            predicted = {name: model.predict(subnets) for name, model in self._models.items()}
            trials = []
            for number, candidate in enumerate(candidates):
                members = slice(2 * number, 2 * number + 2)
                figures = {name: mean[members] for name, (mean, _) in predicted.items()}
                point = self._point(candidate, figures, lifts)
                trials.append(Trial(candidate, point, point, {}, {}))
                little, big = predicted[ACCURACY][1][members]
                doubt = point.little_share * little + (1 - point.little_share) * big
                yield candidate, minimised(point, self.problem.goal), float(doubt)
            inner.tell(trials)

    def _point(self, candidate: Candidate, figures: dict[str, np.ndarray], lifts: dict[int, float]) -> Point:
        """The predicted point of a candidate, from the predicted figures (little, big) of its networks."""
        problem, pair = self.problem, candidate.pair
        routers = problem.prices.possible(pair)
        router = candidate.router if candidate.router in routers else routers[0]
        price = problem.prices.price(pair, problem.prices.routers[router])
        known: dict[str, Any] = problem.figures(pair)
        known |= {each.called: float(each.worse(*figures[each.called])) for each in self._dear}
        for metric in problem.goal.metrics.values():
            if isinstance(metric, PairMetric) and metric.routed:
                known[metric.called] = np.broadcast_to(np.asarray(metric.value(price, SHARES)), SHARES.shape)
        known |= {f"expected_{name}": part.expected(SHARES) for name, part in price.parts.items()}
        little, big = figures[ACCURACY]
        accuracy = SHARES * little + (1 - SHARES) * big + lifts.get(router, 0.0) * SHARES * (1 - SHARES)
        curve = Curves(SHARES, accuracy, np.full(len(SHARES), router), known)
        return curve.best(problem.goal, candidate.share, router)


def _lift(gains: Sequence[tuple[float, float]]) -> float:
    """The factor of s (1 - s) that fits best to what routing gains at a little share s, at least 0."""
    at, gained = np.array(gains).T
    return max(0.0, float(at @ gained / (at @ at))) if at.any() else 0.0


def _from_fronts(figures: np.ndarray, count: int) -> list[int]:
    """``count`` rows of minimised figures (P, M) from the first fronts, spread evenly over the last one of them."""
    chosen: list[int] = []
    for front in NonDominatedSorting().do(figures, n_stop_if_ranked=count):
        ordered = front[np.lexsort(figures[front].T[::-1])]
        room = min(count - len(chosen), len(ordered))
        chosen += ordered[np.linspace(0, len(ordered) - 1, room).round().astype(int)].tolist() if room > 0 else []
    return chosen
