"""Trivial predictors of an arch's accuracy: what a supernet's ranking has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError, nearest
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.protocols import Progress, silent
from duonas.core.registry import names as parts
from duonas.core.space import SearchSpace
from duonas.costs.analytic import analytic
from duonas.search.metric import ArchFacts, ArchMetric, find_metric
from duonas.search.untrained import UntrainedNetworks

USUAL = ("params", "macs", "layers")
COUNTED = ("params", "macs", "weight_bytes", "peak_memory_bytes")
COUNT, WITHOUT = "count:", "without:"
ANGLE = "angle"  # between weights before and after training; see ``duonas.ranking.angle``

Predictor = Callable[[Subnet], float]


def proxies(names: Sequence[str]) -> list[str]:
    """Return those of the names that are proxies, which judge untrained networks."""
    return [name for name in names if name in parts("proxy")]


def predictors(
    names: Sequence[str],
    pairs: PairSpace,
    role: Role = "big",
    untrained: UntrainedNetworks | None = None,
    angles: Predictor | None = None,
) -> dict[str, Predictor]:
    """Return functions of the subnets of one role by their names.

    A name is ``params``, ``macs``, ``weight_bytes`` or ``peak_memory_bytes``; ``layers``, the number of convolutions
    and linear layers; a kind of axis such as ``depth`` or ``width``, whose values are added up; ``count:A+B``, the
    number of axes whose value is A or B; ``without:A+B``, the number of axes whose value is neither; where there are
    untrained networks, a proxy such as ``naswot``; or, where there are ``angles``, ``angle``.

    Raises:
        DuonasError: there is no such predictor for this search space.
    """
    given = {} if angles is None else {ANGLE: angles}
    return {name: given.get(name) or _predictor(name, pairs, role, untrained) for name in dict.fromkeys(names)}


def _predictor(name: str, pairs: PairSpace, role: Role, untrained: UntrainedNetworks | None) -> Predictor:
    space = pairs.spaces[role]
    if untrained is not None and proxies([name]):
        return _proxy(name, pairs, untrained)
    if name in COUNTED:
        return lambda subnet: float(getattr(analytic(pairs.blocks(subnet)), name))
    if name == "layers":
        return lambda subnet: float(
            sum(layer.kind in ("conv", "linear") for block in pairs.blocks(subnet) for layer in block.layers)
        )
    for prefix in (COUNT, WITHOUT):
        if name.startswith(prefix):
            values = _values(space, name, name.removeprefix(prefix).split("+"))
            return lambda subnet: float(
                sum((value in values) == (prefix == COUNT) for value in _texts(space, subnet.arch))
            )
    kinds = _numeric_kinds(space)
    if name in kinds:
        return lambda subnet: float(
            sum(value for axis, value in space.values(subnet.arch).items() if space.axes[axis].kind == name)
        )
    known = (*COUNTED, "layers", ANGLE, *kinds, *(parts("proxy") if untrained is not None else ()))
    raise DuonasError(
        f"--predictors has no {name!r} for search space {space.name!r}: {nearest(name, known)}; or {COUNT}VALUE and "
        f"{WITHOUT}VALUE for the number of axes with or without a value."
    )


def _proxy(name: str, pairs: PairSpace, untrained: UntrainedNetworks) -> Predictor:
    metric = find_metric(name)
    assert isinstance(metric, ArchMetric)

    def predict(subnet: Subnet) -> float:
        blocks = pairs.blocks(subnet)
        return untrained.value(metric, ArchFacts(subnet, blocks, analytic(blocks)))

    return predict


def _values(space: SearchSpace, name: str, wanted: Sequence[str]) -> set[str]:
    there = dict.fromkeys(str(value) for axis in space.axes.values() for value in axis.values)
    for value in wanted:
        if value not in there:
            raise DuonasError(f"--predictors {name}: no axis has the value {value!r}: {nearest(value, there)}.")
    return set(wanted)


def _texts(space: SearchSpace, arch: Arch) -> list[str]:
    return [str(value) for value in space.values(arch).values()]


def _numeric_kinds(space: SearchSpace) -> list[str]:
    kinds: dict[str, bool] = {}
    for axis in space.axes.values():
        numbers = all(isinstance(value, int | float) for value in axis.values)
        kinds[axis.kind] = kinds.get(axis.kind, True) and numbers
    return [kind for kind, numbers in kinds.items() if numbers]


def predicted(
    names: Sequence[str],
    pairs: PairSpace,
    subnets: Sequence[Subnet],
    untrained: UntrainedNetworks | None = None,
    progress: Progress = silent,
    angles: Predictor | None = None,
) -> dict[str, np.ndarray]:
    """Return the value (N,) of each predictor for N subnets of one role, by name; see ``predictors``.

    ``progress`` is called with the number of subnets where there are networks to judge.
    """
    found = predictors(names, pairs, subnets[0].role, untrained, angles)
    rows = []
    for subnet in subnets:
        rows.append([predict(subnet) for predict in found.values()])
        if proxies(names) or ANGLE in names:
            progress(len(rows), len(subnets))
    return dict(zip(found, np.array(rows, np.float64).T, strict=True))
