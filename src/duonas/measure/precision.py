"""A bundle in fp16 or int8 beside the same networks in float: accuracy, bytes and times, and whether it pays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from duonas.core.text import plural
from duonas.measure.quantized import NAMES
from duonas.runtime.comparison import Time, is_faster


def beside_fp32(precision: str, networks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what ``measure.json`` has of a bundle in another precision.

    Args:
        precision: ``fp16`` or ``int8``.
        networks: by role ``accuracy``, ``flips``, ``bytes`` and ``times_ms`` on the test images; all but the flips also
            as ``fp32_accuracy`` and so on.

    Returns:
        ``is``, the precision; ``networks``; ``sentence``, whether it pays here; and ``answers``, what it does to them.
    """
    answers = " ".join(map(_answers, networks.items()))
    return {"is": precision, "networks": {**networks}, "sentence": _sentence(precision, networks), "answers": answers}


def _sentence(precision: str, networks: Mapping[str, Mapping[str, Any]]) -> str:
    times = {
        role: (Time(**each["times_ms"]["1"]), Time(**each["fp32_times_ms"]["1"])) for role, each in networks.items()
    }
    quicker = [role for role, (now, before) in times.items() if is_faster(now, before)]
    slower = [role for role, (now, before) in times.items() if is_faster(before, now)]
    smaller = sum(each["bytes"] for each in networks.values()) < sum(each["fp32_bytes"] for each in networks.values())
    if quicker and slower:
        pays = f"is faster here for {_names(quicker)} alone"
    elif quicker:
        pays = "pays here in time" + (" and bytes" if smaller else "")
    elif slower:
        pays = "saves bytes here, and no time" if smaller else "saves neither bytes nor time here"
    else:
        pays = ("saves bytes here, and" if smaller else "saves no bytes here, and") + " takes as long as fp32"
    return f"{precision} {pays}: an image takes {', '.join(_duration(role, *each) for role, each in times.items())}."


def _duration(role: str, now: Time, before: Time) -> str:
    ratio = now.mean / before.mean
    return f"{now.mean:.3g} ms instead of {before.mean:.3g} in {NAMES[role]} ({ratio:.3g} times)"


def _answers(entry: tuple[str, Mapping[str, Any]]) -> str:
    role, found = entry
    name = NAMES[role]
    share = found["bytes"] / found["fp32_bytes"]
    return (
        f"{name[0].upper()}{name[1:]} has {share:.0%} of the bytes and is right on {found['accuracy']:.1%} instead of "
        f"{found['fp32_accuracy']:.1%} of the test images ({plural(found['flips'], 'answer')} changed)."
    )


def _names(roles: Iterable[str]) -> str:
    return " and ".join(NAMES[role] for role in roles)


def file_sizes(bundle: Path, fp32: Path, files: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return the bytes of the files of a bundle beside those of the float networks, by role."""
    there = {role: name for role, name in files.items() if (fp32 / name).is_file()}
    return {
        role: {"bytes": (bundle / name).stat().st_size, "fp32_bytes": (fp32 / name).stat().st_size}
        for role, name in there.items()
    }
