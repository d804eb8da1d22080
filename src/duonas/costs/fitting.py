"""What blocks take that were not measured on a device, fitted from those that were.

The numbers of a block's specification go into two steps. A linear model with coefficients of at least 0 (work by kind
of layer, activations, weights, numbers of layers) follows what a processor does, and so holds outside of what was
measured. What it leaves is learned from the same numbers by boosted trees, by a Gaussian process, or not at all:
whatever does best on blocks left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.cell import CONVOLUTIONS, EDGES, computed_edges, computed_layers
from duonas.core.rng import stream

FEWEST = 20  # measured blocks to fit from
FOLDS = 5
MOST = 500  # blocks that a Gaussian process is fitted to, whose time grows with their cube
LEAST = 1e-6  # ms or mJ: nothing takes less


@dataclass(frozen=True)
class Fitted:
    """A model of what a block takes.

    Args:
        name: of the model.
        median: median relative error on blocks left out of its fit, by cross-validation.
        worst: largest relative error on them.
        rows: number of blocks that it was fitted to.
        predict: figures (N,) of N blocks.
    """

    name: str
    median: float
    worst: float
    rows: int
    predict: Callable[[Sequence[BlockSpec]], np.ndarray]

    def to_json(self) -> dict[str, Any]:
        """Name, errors and number of blocks."""
        return {"model": self.name, "rows": self.rows, "median": self.median, "worst": self.worst}


def fit_blocks(blocks: Sequence[BlockSpec], figures: np.ndarray, model: str | None = None) -> Fitted:
    """Fit what blocks take, with the model that does best on blocks left out.

    Args:
        blocks: at least ``FEWEST`` measured blocks.
        figures: (N,) what each takes, in ms or mJ.
        model: the name of the model, if it is chosen already.
    """
    table, figures = Numbers(blocks), np.maximum(np.asarray(figures, dtype=float), LEAST)
    numbers = table.read(blocks)
    among = {name: rest for name, rest in _RESTS.items() if name == model} or dict(_RESTS)
    errors = {name: _left_out(numbers, figures, rest) for name, rest in among.items()}
    best = min(errors, key=lambda name: float(np.abs(np.log1p(errors[name])).mean()))
    fitted, relative = _TwoSteps(_RESTS[best]).fit(numbers, figures), np.abs(errors[best])
    return Fitted(best, float(np.median(relative)), float(relative.max()), len(blocks),
                  lambda asked: fitted.predict(table.read(asked)))  # fmt: skip


class Numbers:
    """The numbers of blocks that models read; kinds and operations are those of the measured blocks.

    Args:
        blocks: the measured blocks.
    """

    def __init__(self, blocks: Sequence[BlockSpec]) -> None:
        self._kinds = sorted({block.kind for block in blocks})
        self._operations = sorted({name for block in blocks for name in block.operations})

    def read(self, blocks: Sequence[BlockSpec]) -> tuple[np.ndarray, np.ndarray]:
        """The work of N blocks (N, P), which takes time, and further numbers of their form (N, Q)."""
        work = np.array([[*self._work(block)] for block in blocks], dtype=float)
        form = np.array([[*self._form(block)] for block in blocks], dtype=float)
        return work, np.concatenate([np.log1p(work), form], axis=1)

    def _work(self, block: BlockSpec) -> Iterator[float]:
        yield from (float(block.kind == kind) for kind in self._kinds)
        yield from _sums(block)
        area = block.in_channels * block.resolution**2
        operations = [block.operations[edge] for edge in computed_edges(block)]
        yield from (area * operations.count(name) for name in self._operations)
        yield from (operations.count(name) for name in self._operations)
        yield from (area * count for count in _maps(block))
        yield block.in_channels * block.out_resolution**2 if block.kind == "input" else 0
        yield area * block.residual

    def _form(self, block: BlockSpec) -> Iterator[float]:
        yield from (block.in_channels, block.out_channels, block.resolution, block.out_resolution, block.kernel)
        yield from (block.stride, block.expansion, block.residual, block.squeeze_excite, block.activation == "hswish")
        yield from (block.in_channels % 8 == 0, block.out_channels % 8 == 0, len(block.layers))
        yield from (float(name in block.operations) for name in self._operations)


WORK = ("dense", "depthwise", "pointwise", "linear")


def _sums(block: BlockSpec) -> Iterator[float]:
    """MACs by kind of layer, activations, outputs with a costly activation, weights, and the number of layers."""
    macs = dict.fromkeys(WORK, 0)
    layers = computed_layers(block)
    for layer in layers:
        macs[_kind(layer)] += layer.macs
    yield from macs.values()
    yield sum(layer.activations for layer in layers)
    outputs = (layer.out_channels * layer.out_resolution**2 for layer in layers if layer.activation == "hswish")
    yield sum(outputs)
    yield sum(layer.params for layer in layers)
    yield len(layers)


def _maps(block: BlockSpec) -> tuple[int, int]:
    """The feature maps of a cell that are added to others, and those that are rectified for convolutions."""
    if len(block.operations) != len(EDGES):
        return 0, 0
    edges = computed_edges(block)
    sums = len(edges) - len({EDGES[edge][1] for edge in edges})
    return sums, len({EDGES[edge][0] for edge in edges if block.operations[edge] in CONVOLUTIONS})


def _kind(layer: LayerSpec) -> str:
    if layer.groups > 1:
        return "depthwise"
    if layer.kind == "linear" or layer.out_resolution == 1:
        return "linear"
    return "dense" if layer.kernel > 1 else "pointwise"


class _TwoSteps:
    """A linear model with coefficients of at least 0, times the exponential of a model of what is left.

    Args:
        rest: makes the model of the logarithm of what is left; ``None``: the linear model alone.
    """

    def __init__(self, rest: Callable[[], Any] | None) -> None:
        self._rest = rest() if rest is not None else None

    def fit(self, numbers: tuple[np.ndarray, np.ndarray], figures: np.ndarray) -> _TwoSteps:
        """Fit to figures (N,), by the relative error."""
        work, form = numbers
        self._scale = np.maximum(np.abs(work).max(0), 1e-12)
        self._work = LinearRegression(positive=True, fit_intercept=False)
        self._work.fit(work / self._scale / figures[:, None], np.ones(len(figures)))
        if self._rest is not None:
            left = np.log(figures / self._first(work))
            kept = stream(0, "fitting").permutation(len(left))[:MOST]
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", ConvergenceWarning
                )  # a length that no figure determines is at its bound
                self._rest.fit(form[kept], left[kept])
        return self

    def predict(self, numbers: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The figures (N,)."""
        work, form = numbers
        first = self._first(work)
        if self._rest is None:
            return first
        found: np.ndarray = first * np.exp(np.clip(self._rest.predict(form), -3, 3))
        return found

    def _first(self, work: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.maximum(self._work.predict(work / self._scale), LEAST)
        return found


def _boosting() -> Any:
    return GradientBoostingRegressor(n_estimators=200, max_depth=4, learning_rate=0.05, subsample=0.7, random_state=0)


def _gaussian_process() -> Any:
    kernel = 0.1 * RBF(3.0, (0.3, 1e3)) + WhiteKernel(1e-3, (1e-6, 1.0))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=0))


_RESTS: Mapping[str, Callable[[], Any] | None] = {
    "linear": None,
    "linear and boosted trees": _boosting,
    "linear and Gaussian process": _gaussian_process,
}


def _left_out(numbers: tuple[np.ndarray, np.ndarray], figures: np.ndarray, rest: Any) -> np.ndarray:
    """The relative errors (N,) of a model on blocks left out of its fit."""
    work, form = numbers
    errors = np.empty(len(figures))
    for known, asked in KFold(FOLDS, shuffle=True, random_state=0).split(work):
        model = _TwoSteps(rest).fit((work[known], form[known]), figures[known])
        errors[asked] = model.predict((work[asked], form[asked])) / figures[asked] - 1
    return errors
