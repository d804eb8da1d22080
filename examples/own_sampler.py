"""A sampler of your own: archs near the ends of the space, where a pair's little and big come from.

duonas run digits --set train.sampler="examples/own_sampler.py:Ends" --set train.sampler.p=0.1 --out runs/own-sampler
"""

from dataclasses import dataclass

from duonas.core.fields import BelowOne
from duonas.training.drawing import raised
from duonas.training.options import SamplerOptions
from duonas.training.sampler import Sampler


class Ends(Sampler):
    """Draws a mutant of the smallest or of the largest arch."""

    @dataclass(frozen=True)
    class Options(SamplerOptions):
        """Keys of ``[train.sampler]``: each is followed by its help."""

        p: BelowOne = 0.2
        """Chance that a choice is drawn anew."""

    def arch(self, role, rng, least=None):
        """An arch of ``pairs.spaces[role]`` with no choice below ``least[axis]``."""
        space = self.pairs.spaces[role]
        end = space.smallest() if rng.random() < 0.5 else space.largest()
        return raised(space, space.mutate(end, rng, self.options.p), least)
