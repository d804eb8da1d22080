"""Independent random streams, each named by a path, without state to save."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """A random generator, determined by ``seed`` and ``path``.

    Training draws from ``stream(seed, "archs", step)``, so a resumed run continues with the same random numbers.
    """
    name = "/".join(map(str, (seed, *path))).encode()
    return np.random.default_rng(list(hashlib.sha256(name).digest()))
