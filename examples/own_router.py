"""A router of one's own: images of little contrast are hard.

It passes duonas' contract suite (``tests/docs/test_examples.py``) and is deployed like the shipped ones::

    duonas run digits --set route.router="examples/own_router.py:Contrast" --out runs/own-router
"""

from dataclasses import dataclass

from duonas import Router
from duonas.routing.chance import hashed, knows_more


@dataclass(frozen=True)
class Contrast(Router):
    """The brightest value less the darkest: more of it is easier, if ``sign`` is 1."""

    sign: int = 1  # 0: it tells nothing, so lots are drawn

    positions = ("input",)  # images (N, 3, H, W) in [0, 1]

    def describe(self, seen):
        """Images to what the score is made of, (N, D)."""
        values = seen.flatten(1)
        return (values.amax(1) - values.amin(1))[:, None]

    def judge(self, described):
        """(N, D) to scores (N,), higher = keep little."""
        return described[:, 0] * self.sign if self.sign else hashed(described)

    def fit(self, described, answers, rng):
        """Whether contrast means easy or hard for this pair, if it means anything."""
        signs = [sign for sign in (1, -1) if knows_more(sign * described[:, 0].numpy(), answers, trials=2)]
        return Contrast(signs[0] if signs else 0)

    def to_json(self):
        """What ``from_json`` makes an equal router of."""
        return {"sign": self.sign}
