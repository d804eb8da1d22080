"""What the report says of energies: what was the meter, and what an image takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.report.figure import ROLES
from duonas.report.formatting import THIN, number


def millijoules(value: float) -> str:
    """Write an energy in millijoules."""
    return f"{number(value)}{THIN}mJ"


def by_meter(energy: Mapping[str, Any]) -> str:
    """How energies were found, such as ``measured by powercap (package-0)``."""
    if "watts" in energy:
        return (
            f"which is its time multiplied by the {number(energy['watts'])}{THIN}W that were given; no energy was "
            "measured"
        )
    return f"measured by {energy['meter']} ({energy['covers']})"


def energies(measured: Mapping[str, Any]) -> str:
    """What an image takes by each network, and what was the meter; empty where no energy is known."""
    energy = measured.get("energy")  # files of earlier versions have none
    if not energy:
        return ""
    if energy["meter"] is None:
        return f"No energy is known: {energy['hint']}"
    known = [role for role in ROLES if "energy_mj" in measured[role]]
    said = ", ".join(f"{millijoules(measured[role]['energy_mj'])} by {role}" for role in known)
    return f"One image takes {said}, {by_meter(energy)}."
