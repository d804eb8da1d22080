"""A distillation loss of your own: the squared difference of logits (Ba and Caruana 2014).

duonas run digits --set train.divergence="examples/own_divergence.py:SquaredError" --out runs/own-divergence
"""

from duonas.training.divergence import Divergence


class SquaredError(Divergence):
    """The mean squared difference of the logits of student and teacher, without what is common to all classes."""

    def losses(self, student, teacher, targets):
        """Logits (B, K) to the loss of each image (B,)."""
        apart = student - teacher
        return (apart - apart.mean(1, keepdim=True)).square().mean(1)
