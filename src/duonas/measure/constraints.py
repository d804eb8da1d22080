"""The limits that a pair was searched and routed within, compared with what was measured on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from duonas.core.cost import ON_DEVICE, written
from duonas.routing.constraints import ConstraintCheck

ROLES = ("little", "big")
COUNTED = ("on calib", "on the test split")  # what depends on the images: where it was predicted, and where measured
Figures = Mapping[str, Any]


def compared(checks: Iterable[ConstraintCheck], figures: Figures) -> list[dict[str, Any]]:
    """Compare every limit with what was measured.

    Args:
        checks: the limits and what was predicted, of the policy.
        figures: the content of measure.json without this.

    Returns:
        For each limit ``name``, ``limit``, ``direction``, ``predicted``, ``measured`` (``None`` for a metric that is
        not measured), ``device`` (``None``, or the device that the limit is for if it is another one) and ``kept``: by
        what was measured, else by the prediction; ``None`` if the limit is for another device.
    """
    return [_compared(check, measured(check.name, figures)) for check in checks]


def _compared(check: ConstraintCheck, found: float | None) -> dict[str, Any]:
    elsewhere = check.predicted is not None and not check.predicted.is_here
    return {
        "name": check.name,
        "limit": check.limit,
        "direction": check.direction,
        "predicted": check.figure,
        "measured": found,
        "device": check.predicted.target if check.predicted is not None and elsewhere else None,
        "kept": None if elsewhere else check.kept if found is None else check.within(found),
    }


def measured(name: str, figures: Figures) -> float | None:
    """Return the measured figure of a metric such as ``p95_latency_ms``; ``None`` if it is not measured.

    ``weight_bytes`` is that of the weights in the ONNX file, and ``expected_macs`` that on the test split.
    """
    part, _, rest = name.partition("_")
    role, figure = (part, rest) if part in ROLES else ("routed", name)
    found: dict[str, Any] = figures.get(role, {})
    times, quantity = found.get("latency_ms", {}), figure.removeprefix(f"{part}_")
    if figure == "weight_bytes":
        value = found.get(figure)
    elif quantity == "latency_ms":
        value = times.get("mean" if part in ("expected", *ROLES) else part)
    elif quantity == "energy_mj":
        value = found.get(quantity) if part in ("expected", *ROLES) else None
    else:
        value = found.get("expected_macs") if name == "expected_macs" else None
    return None if value is None else float(value)


def comparisons(figures: Figures) -> list[str]:
    """Say for every limit that was measured what was predicted, what was measured, and whether it is kept."""
    found = figures.get("constraints", ())
    return [_in_words(each, _busy(figures)) for each in found if each["measured"] is not None]


def unkept(figures: Figures) -> list[str]:
    """Say the same of those limits alone that are not kept."""
    found = figures.get("constraints", ())
    broken = (each for each in found if each["measured"] is not None and each["kept"] is False)
    return [_in_words(each, _busy(figures)) for each in broken]


def _in_words(entry: Figures, busy: str) -> str:
    name, measured = entry["name"], written(entry["name"], entry["measured"])
    side = "at most" if entry["direction"] == "min" else "at least"
    asked = f"{name} {side} {written(name, entry['limit'])}"
    predicted = "" if entry["predicted"] is None else written(name, entry["predicted"])
    verdict = "kept" if entry["kept"] else "not kept"
    if not name.endswith(ON_DEVICE):
        counted, where = ("as counted by the search", "in the ONNX file") if name.endswith("bytes") else COUNTED
        return f"{asked}: {predicted and f'{predicted} {counted}, '}{measured} {where}: {verdict}."
    before = predicted and f"predicted {predicted}, "
    if entry["device"] is not None:
        return f"{asked}: {before}measured here {measured}; the limit is for {entry['device']}."
    return f"{asked}: {before}measured {measured}: {verdict} on this machine{busy}."


def _busy(figures: Figures) -> str:
    """Say how busy the machine was while the networks were timed; empty if that is not known."""
    busy = figures.get("environment", {}).get("busy")
    return "" if busy is None else f" (other programs had the core for {busy:.0%} of the time)"
