from __future__ import annotations

import pytest

from duonas.report.energy import by_meter, energies, millijoules

ROLES = {"little": {"energy_mj": 0.5}, "big": {"energy_mj": 2.0}, "routed": {"energy_mj": 0.8}}


def test_energies_say_what_was_the_meter():
    said = energies(ROLES | {"energy": {"meter": "ina3221", "covers": "VDD_IN"}})
    assert said == (
        "One image takes 0.500\u202fmJ by little, 0.800\u202fmJ by routed, 2.00\u202fmJ by big, measured by ina3221 "
        "(VDD_IN)."
    )


def test_given_watts_are_not_called_a_measurement():
    said = by_meter({"meter": "watts", "covers": "the power given by the user", "watts": 5.0})
    assert said == "which is its time multiplied by the 5.00\u202fW that were given; no energy was measured"
    assert millijoules(1.5) == "1.50\u202fmJ"


@pytest.mark.parametrize("energy", [{}, {"energy": None}])
def test_without_energies_there_is_nothing_to_say(energy):
    assert energies(ROLES | energy) == ""


def test_a_meter_that_cannot_be_read_is_named():
    said = energies({"little": {}, "energy": {"meter": None, "hint": "energy_uj can be read by root only."}})
    assert said == "No energy is known: energy_uj can be read by root only."
