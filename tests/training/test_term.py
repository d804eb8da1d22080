"""Terms are switched on by their keys, shipped ones and the user's own."""

from __future__ import annotations

from duonas.recipe.schema import options_for
from duonas.training.term import make_terms

OWN = '''
"""An own term."""
from dataclasses import dataclass
from duonas.training.term import Term

class Flat(Term):
    @dataclass(frozen=True)
    class Options:
        flat: float = 0.0
        """Weight of the squared logits of little."""
    weight = property(lambda self: self.options.flat)
    def __call__(self, batch):
        return batch.mean((batch.little ** 2).mean(1))
'''


def terms(**loss):
    return {term.called: term.weight for term in make_terms(options_for("finetune", loss=loss).loss)}


def test_no_key_is_no_term():
    assert terms() == {}


def test_each_key_switches_its_term_on():
    assert terms(gatekeeper=0.5, consistency=0.1) == {"gatekeeper": 0.5, "consistency": 0.1}
    assert terms(teacher="resnet18", teacher_weight=2.0) == {"teacher": 2.0}
    assert terms(teacher="resnet18", teacher_weight=0.0) == {}


def test_the_rule_that_trains_pairs_has_them_too():
    table = options_for("train", rule="cotrain", loss={"gatekeeper": 0.5, "gamma": 0.1})
    assert [term.called for term in make_terms(table.loss)] == ["gatekeeper"] and table.loss.gamma == 0.1


def test_a_users_own_term_has_keys_in_the_table(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    assert terms(terms=[f"{tmp_path}/own.py:Flat"], flat=0.2) == {"Flat": 0.2}
