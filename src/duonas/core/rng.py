"""Randomness as an argument: independent streams named by a path, with no state to save."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """The generator for one purpose, a pure function of ``seed`` and ``path``.

    Training draws from ``stream(seed, "archs", step)`` and so on, so a resumed run needs only the step number to draw
    what an undisturbed run would have drawn.
    """
    name = "/".join(map(str, (seed, *path))).encode()
    return np.random.default_rng(list(hashlib.sha256(name).digest()))
