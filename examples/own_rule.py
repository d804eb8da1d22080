"""A training rule of your own: a few subnets drawn at random learn from labels.

duonas run digits --set train.rule="examples/own_rule.py:Drawn" --set train.draws=2 --out runs/own-rule
"""

from dataclasses import dataclass

from duonas.core.fields import Count
from duonas.training.losses import label_loss
from duonas.training.options import TrainOptions
from duonas.training.rule import Rule


class Drawn(Rule):
    """Each step trains ``draws`` subnets of each tower on labels."""

    @dataclass(frozen=True)
    class Options(TrainOptions):
        """Keys of ``[train]``: each is followed by its help."""

        draws: Count = 1
        """Subnets of each tower in a step."""

    def __init__(self, pairs, options):
        super().__init__()
        self.pairs, self.options = pairs, options

    def step(self, network, given):
        """Losses by name; gradients add up over the subnets of a step."""
        total = 0.0
        for role in self.pairs.roles * self.options.draws:
            logits = network(given.images, self.pairs.sample_subnet(role, given.rng))
            loss = label_loss(logits, given.targets, self.options.label_smoothing, given.weights)
            given.backward(loss)
            total = total + loss.detach()
        return {"loss": total}
