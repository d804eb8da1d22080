"""What tells whether distributions over choices collapse: entropies, depths, the share of skip connections."""

from __future__ import annotations

from typing import Any

from duonas.core.pair import Role
from duonas.search.dirichlet import PairDirichlets
from duonas.search.metric import ArchMetric, find_metric
from duonas.search.problem import Problem

SKIP = "skip_connect"
MUCH = 0.5  # of the probability, at which skip connections dominate


def watched(problem: Problem, choices: PairDirichlets) -> dict[str, float]:
    """Figures of distributions, by the name of the network and ``entropy``, ``depth`` or ``skip``.

    The entropy is the mean over the axes, as a part of the largest one; the depth, in layers, is that of the most
    probable network; the share of skip connections is the mean over the axes that have them.
    """
    pair, mean = choices.most_likely(), choices.mean()
    depth = find_metric("depth")
    assert isinstance(depth, ArchMetric)
    roles: tuple[Role, ...] = ("little", "big")
    found: dict[str, float] = {}
    for role, subnet in zip(roles, problem.pairs.subnets(pair), strict=True):
        space = problem.pairs.spaces[role]
        found[f"{role}_entropy"] = choices.entropy(role)
        found[f"{role}_depth"] = problem.prices.arch_value(depth, subnet)
        skips = [
            float(row[space.axes[name].values.index(SKIP)])
            for name, row in getattr(mean, role).items()
            if SKIP in space.axes[name].values
        ]
        if skips:
            found[f"{role}_skip"] = sum(skips) / len(skips)
    return found


def in_words(history: list[dict[str, Any]]) -> str:
    """What became of the distributions in a sentence, and a second one where skip connections dominate."""
    aims = {row["aim"]: row for row in history}  # the last row of each
    said = [
        f"{role} from {100 * history[0][f'{role}_entropy']:.0f} % to "
        f"{100 * sum(row[f'{role}_entropy'] for row in aims.values()) / len(aims):.0f} %"
        for role in ("little", "big")
    ]
    sentence = f"DrNAS: the entropy of the choices fell for {said[0]} and for {said[1]} of the largest one."
    collapsed = [
        role
        for role in ("little", "big")
        if any(row.get(f"{role}_skip", 0) > MUCH or row[f"{role}_depth"] < 1 for row in aims.values())
    ]
    if collapsed:
        sentence += (
            f" Skip connections dominate in {' and '.join(collapsed)}, as where differentiable search collapses: take "
            "more steps, a smaller learning_rate, or compare it with strategy = 'random'."
        )
    return sentence
