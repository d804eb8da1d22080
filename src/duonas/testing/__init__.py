"""Contract suites, one for each kind of part: inherit one in a test file, and your part is tested against its contract.

Each suite has an abstract method that returns the part under test, and inherits its tests::

    class TestMySpace(SpaceContract):
        def space(self):
            return MySpace(image_size=8, classes=10)

Among the laws: extracted networks equal the supernet, counted MACs equal those that ran, routing does not depend on the
batch, equal seeds give equal results.
"""

from duonas.costs.count import count_macs
from duonas.testing.augmentations import AugmentationContract
from duonas.testing.baselines import BaselineContract
from duonas.testing.divergences import DivergenceContract
from duonas.testing.metrics import MetricContract
from duonas.testing.routers import RouterContract
from duonas.testing.rules import RuleContract
from duonas.testing.samplers import SamplerContract
from duonas.testing.scores import ScoreContract
from duonas.testing.sources import SourceContract
from duonas.testing.spaces import SpaceContract
from duonas.testing.strategies import StrategyContract
from duonas.testing.supernets import SupernetContract
from duonas.testing.targets import TargetContract
from duonas.testing.terms import TermContract
from duonas.testing.trackers import TrackerContract
from duonas.testing.weightings import WeightingContract

__all__ = [
    "AugmentationContract",
    "BaselineContract",
    "DivergenceContract",
    "MetricContract",
    "RouterContract",
    "RuleContract",
    "SamplerContract",
    "ScoreContract",
    "SourceContract",
    "SpaceContract",
    "StrategyContract",
    "SupernetContract",
    "TargetContract",
    "TermContract",
    "TrackerContract",
    "WeightingContract",
    "count_macs",
]
