"""A metric of your own: how many layers a device has to start, as a stand-in for latency on a fast accelerator.

    duonas run digits --set 'search.objectives=["accuracy", "expected_macs", "examples/own_metric.py:Launches"]'

or as a limit, ``[search.constraints]`` ``"examples/own_metric.py:Launches" = 30``. Of a pair the larger count of its
two archs is taken.
"""

from duonas.search.metric import ArchFacts, ArchMetric


class Launches(ArchMetric):
    """Convolutions and linear layers of an arch, each a kernel that the device has to start."""

    unit = "layers"

    def value(self, arch: ArchFacts) -> float:
        """Counted from the blocks, so that it is known before anything is trained."""
        return sum(layer.kind != "norm" for block in arch.blocks for layer in block.layers)
