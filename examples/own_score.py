"""A confidence score of your own: the probability that two draws by little's probabilities agree.

duonas run digits --set route.score="examples/own_score.py:Agreement" --out runs/own-score
"""

from duonas.routing.score import Score


class Agreement(Score):
    """The sum of the squared probabilities: 1 where little is sure, 1 / K where it knows nothing."""

    def __call__(self, logits):
        """Logits (N, K) to scores (N,), higher where little is surer."""
        return logits.softmax(1).square().sum(1)
