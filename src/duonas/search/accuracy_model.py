"""Predicts the accuracy of archs from those of evaluated ones, with an uncertainty (OFA: Cai et al. 2020)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.neural_network import MLPRegressor

from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.rng import stream

Regressor = Literal["mlp", "trees", "gp"]
MEMBERS = 5  # of an ensemble
FOLDS = 5
LEAST = 10  # archs of which each fold has at least two


class AccuracyModel:
    """Regression from the encoding of an arch to a figure of it, by default its accuracy; one model for each role.

    ``mlp`` is an ensemble of networks from different weights, ``trees`` one of gradient-boosted trees on different
    samples of the archs; their uncertainty is the standard deviation of the members. ``gp`` is a Gaussian process.

    Args:
        pairs: whose subnets are predicted.
        regressor: the kind of model.
        seed: of all random numbers.
    """

    def __init__(self, pairs: PairSpace, regressor: Regressor, seed: int) -> None:
        self._pairs, self._regressor, self._seed = pairs, regressor, seed
        self._models: dict[Role, _Model] = {}

    def learn(self, known: Mapping[Subnet, float]) -> None:
        """Fit to the figures of subnets, in place of what was learned before."""
        self._models = {}
        for role in self._pairs.roles:
            if some := [subnet for subnet in known if subnet.role == role]:
                figures = np.array([known[subnet] for subnet in some])
                self._models[role] = _Model(self._regressor, self._encoded(some), figures, self._seed)

    def predict(self, subnets: Sequence[Subnet]) -> tuple[np.ndarray, np.ndarray]:
        """The expected figures (N,) of N subnets and their standard deviations (N,), in the unit of the figure."""
        mean, deviation = np.zeros(len(subnets)), np.zeros(len(subnets))
        for role, model in self._models.items():
            some = [number for number, subnet in enumerate(subnets) if subnet.role == role]
            if some:
                mean[some], deviation[some] = model.predict(self._encoded([subnets[number] for number in some]))
        return mean, deviation

    def held_out(self, known: Mapping[Subnet, float]) -> dict[Role, np.ndarray]:
        """By role the predictions (N,) for the N subnets of ``known``, each by a model that was not fitted to it.

        Roles with fewer than 10 subnets are left out.
        """
        found: dict[Role, np.ndarray] = {}
        for role in self._pairs.roles:
            some = [subnet for subnet in known if subnet.role == role]
            if len(some) < LEAST:
                continue
            figures, encoded = np.array([known[subnet] for subnet in some]), self._encoded(some)
            fold = stream(self._seed, "folds", role).permutation(len(some)) % FOLDS
            found[role] = np.zeros(len(some))
            for out in range(FOLDS):
                model = _Model(self._regressor, encoded[fold != out], figures[fold != out], self._seed)
                found[role][fold == out] = model.predict(encoded[fold == out])[0]
        return found

    def _encoded(self, subnets: Sequence[Subnet]) -> np.ndarray:
        """One-hot rows: the choices of the arch, and the split."""
        splits = self._pairs.splits
        return np.array([
            [*self._pairs.spaces[each.role].encode(each.arch), *(each.split == split for split in splits)]
            for each in subnets
        ])  # fmt: skip


class _Model:
    """An ensemble or a Gaussian process, fitted to inputs (N, A) and figures (N,), which are standardised."""

    def __init__(self, regressor: Regressor, inputs: np.ndarray, figures: np.ndarray, seed: int) -> None:
        self._mean, self._scale = figures.mean(), figures.std() or 1.0
        self._is_gp = regressor == "gp"
        targets = (figures - self._mean) / self._scale
        self._members = [_member(regressor, number, seed, inputs.shape[1]) for number in range(MEMBERS)]
        if self._is_gp:
            del self._members[1:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of few archs, that can be fitted perfectly
            for number, member in enumerate(self._members):
                drawn = np.arange(len(targets))
                if regressor == "trees":
                    drawn = stream(seed, "bootstrap", number).integers(len(targets), size=len(targets))
                member.fit(inputs[drawn], targets[drawn])

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The expected figures (N,) and their standard deviations (N,)."""
        if self._is_gp:
            mean, deviation = self._members[0].predict(inputs, return_std=True)
        else:
            each = np.array([member.predict(inputs) for member in self._members])
            mean, deviation = each.mean(0), each.std(0)
        return mean * self._scale + self._mean, deviation * self._scale


def _member(regressor: Regressor, number: int, seed: int, width: int) -> Any:
    """A regressor of scikit-learn that is not fitted yet."""
    state = int(stream(seed, "regressor", number).integers(2**31))
    if regressor == "mlp":
        return MLPRegressor(hidden_layer_sizes=(32, 32), solver="lbfgs", alpha=0.1, max_iter=100, random_state=state)
    if regressor == "trees":
        return GradientBoostingRegressor(n_estimators=100, max_depth=3, max_features="sqrt", random_state=state)
    kernel = ConstantKernel() * RBF(width**0.5, (0.1, 1e3)) + WhiteKernel(0.1, (1e-6, 10))
    return GaussianProcessRegressor(kernel, random_state=state)
