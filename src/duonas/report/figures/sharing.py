"""How far the weights of little and of big are apart, layer by layer (paper D, appendix B.4)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np

from duonas.report.charts import SHARE, chart, of, ramp, x
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import RunFiles
from duonas.report.formatting import percent, plural

BINS = 24  # cells of a layer; one of more output channels shows means of neighbours
MANY = 40  # layers, of which more scroll in a box
LETTERS = 30
FIELDS = [
    Field("layer", "Layer", "text"), Field("first", "Channels from", "whole"), Field("last", "to", "whole"),
    Field("distance", "Distance", "share"),
]  # fmt: skip
Weights = Mapping[str, np.ndarray]


def sharing(run: RunFiles) -> Figure | None:
    """A row for each layer that both networks have, with a cell for each of the channels that both have in it.

    ``None`` for networks of two spaces, and for those that were given.
    """
    weights, pair = run.weights, run["pair/pair.json"]
    if weights is None or pair.get("coupling") == "given" or _own_little(run):
        return None
    blocks = [block["name"] for block in pair["blocks"]["big"]]
    layers = distances(weights["little"], weights["big"], blocks)
    if not layers:
        return None
    rows = [row for name, each in layers.items() for row in _cells(name, each)]
    means = {name: float(each.mean()) for name, each in layers.items()}
    return Figure("Weights of little and big", [plot(rows)], _caption(means), table(rows, FIELDS),
                  scroll=len(layers) > MANY)  # fmt: skip


def distances(little: Weights, big: Weights, blocks: Sequence[str]) -> dict[str, np.ndarray]:
    """The distance (C,) of the weights of each output channel that both networks have in a layer, by its name.

    It is the norm of the difference, as a part of the sum of both norms: 0 where weights are shared, 0.7 between
    weights that have nothing to do with each other, 1 between opposite ones. Little's channels are compared with big's
    first ones, and its kernel with the centre of big's, which is how a supernet shares them.

    Args:
        little: parameters by name, weights of convolutions as (out, in, h, w).
        big: the same.
        blocks: the names of the blocks, in whose order the layers are.
    """
    found: dict[str, np.ndarray] = {}
    for block in blocks:
        for key in sorted(little, key=_places):
            if key.startswith(f"{block}.") and key.endswith(".weight") and key in big:
                mine, theirs = little[key], big[key]
                if mine.ndim == theirs.ndim >= 2:
                    found[_name(block, found)] = _distance(mine, theirs)
    return found


def plot(rows: Sequence[Row]) -> dict[str, Any]:
    """A heat map.

    Args:
        rows: ``layer``, ``from`` and ``to`` as shares of its channels, ``distance``, and what else ``FIELDS`` names.
    """
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    labels = alt.Axis(title=None, domain=False, ticks=False, labelExpr=f"truncate(datum.label, {LETTERS})")
    return chart(
        "Distance between the weights of little and of big, by layer and output channel",
        {"rows": rows},
        [
            of("rows").mark_rect().encode(
                x=x("from", "Output channels that both have", SHARE, bars=True, domain=[0, 1]), x2="to:Q",
                y=alt.Y("layer", type="nominal", sort=layers, axis=labels),
                color=ramp("distance", "Distance", SHARE, domain=[0, 0.9]), tooltip=tooltips(FIELDS),
            )
        ],
        18 * len(layers),
    )  # fmt: skip


def _own_little(run: RunFiles) -> bool:
    """Whether little has a search space of its own, so that blocks of one name have nothing to do with each other."""
    recipe = tomllib.loads(run["recipe.toml"] or "")
    return "little" in recipe.get("pair", {})


def _distance(little: np.ndarray, big: np.ndarray) -> np.ndarray:
    sizes = [min(pair) for pair in zip(little.shape, big.shape, strict=True)]
    one, other = (_part(each, sizes).reshape(sizes[0], -1).astype(float) for each in (little, big))
    norms = np.linalg.norm(one, axis=1) + np.linalg.norm(other, axis=1)
    return np.asarray(np.linalg.norm(one - other, axis=1) / np.maximum(norms, np.finfo(float).tiny))


def _places(key: str) -> list[tuple[int, str]]:
    """The parts of a name, with numbers by their size."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in key.split(".")]


def _part(weights: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """The first channels, and the centre of the kernel."""
    skipped = [0, 0, *((have - want) // 2 for have, want in zip(weights.shape[2:], sizes[2:], strict=True))]
    return weights[tuple(slice(first, first + size) for first, size in zip(skipped, sizes, strict=True))]


def _name(block: str, known: Mapping[str, Any]) -> str:
    """A layer of a block by its number: ``stage1 block0, 2``."""
    block = block.replace("_", " ")
    return f"{block}, {sum(name.rpartition(',')[0] == block for name in known) + 1}"


def _cells(layer: str, values: np.ndarray) -> list[dict[str, Any]]:
    ends = np.linspace(0, len(values), min(BINS, len(values)) + 1).round().astype(int)
    return [
        {"layer": layer, "from": round(first / len(values), 4), "to": round(last / len(values), 4),
         "first": int(first) + 1, "last": int(last), "distance": round(float(values[first:last].mean()), 4)}
        for first, last in pairwise(ends)
    ]  # fmt: skip


def _caption(means: Mapping[str, float]) -> str:
    equal = [name for name, value in means.items() if value == 0]
    both = f"Both networks have {plural(len(means), 'layer')} in common"
    if len(equal) == len(means):
        return f"{both}, and share the weights of all of them: little is a part of big."
    shared = f" and share the weights of {len(equal)}" if equal else ""
    near, far = (pick(means.items(), key=lambda item: item[1]) for pick in (min, max))
    return (
        f"{both}{shared}. A distance of 0 % is equal weights, one of 70 % weights that have nothing to do with each "
        f"other: from {percent(near[1])} ({near[0]}) to {percent(far[1])} ({far[0]})."
    )
