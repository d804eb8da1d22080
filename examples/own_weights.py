"""Weights of your own: two sets of kernels, mixed by what the arch says.

duonas run digits --set space.weights="examples/own_weights.py:Two" --out runs/own-weights
"""

from duonas.supernet.arch_weights import ArchWeights
from duonas.supernet.weights.kshot import KshotGenerator


class Two(ArchWeights):
    """K-shot weights with a dictionary of two; a generator of your own subclasses ``Generator``."""

    def generator(self, space, rng):
        """What makes the weights of each arch of the space; ``None`` would have all archs share them."""
        return KshotGenerator(space.whole(), space.tokens_shape, 2, rng)
