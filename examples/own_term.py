r"""A term of your own: sure predictions of little cost something, so that they must pay (Pereyra et al. 2017).

duonas run digits --set finetune.mode=joint --set finetune.loss.unsure=0.1 \
    --set finetune.loss.terms='["examples/own_term.py:Unsure"]'
"""

from dataclasses import dataclass

from duonas.core.fields import NotNegative
from duonas.training.term import Term


class Unsure(Term):
    """The negative entropy of little's predictions."""

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[finetune.loss]``: each is followed by its help."""

        unsure: NotNegative = 0.0
        """Weight of the negative entropy of little's predictions."""

    @property
    def weight(self):
        """Its weight in the loss; 0: off."""
        return self.options.unsure

    def __call__(self, batch):
        """The mean loss of a batch, with the weights of its images."""
        logs = batch.little.float().log_softmax(1)
        return batch.mean((logs.exp() * logs).sum(1))
