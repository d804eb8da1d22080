"""The contract suites: inherit one in a test file and your space, supernet, rule, router or strategy passes the laws.

Each suite asks for its subject by one method and brings its tests along::

    class TestMySpace(SpaceContract):
        def space(self):
            return MySpace(image_size=8, classes=10)

The laws are those of the design: what is extracted equals the supernet, counts equal what ran, routing never depends on
batch-mates, the same seed gives the same result.
"""

from duonas.costs.hooks import count_macs
from duonas.testing.routers import RouterContract
from duonas.testing.rules import RuleContract
from duonas.testing.spaces import SpaceContract
from duonas.testing.strategies import StrategyContract
from duonas.testing.supernets import SupernetContract

__all__ = ["RouterContract", "RuleContract", "SpaceContract", "StrategyContract", "SupernetContract", "count_macs"]
