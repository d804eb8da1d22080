"""A bundle in fp16 or int8 beside the same networks in float: accuracy, bytes and times, and whether it pays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from duonas.core.text import listed, plural
from duonas.runtime.comparison import Time, is_faster

NAMES = {"big": "big", "little": "little", "plain": "the plain network"}
TOLD = 4  # layers that are named in a sentence


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


def quantized_in_words(found: Mapping[str, Any]) -> str:
    """Say what ``quantized.json`` found out on the val split."""
    networks = found["networks"]
    said = ", ".join(
        f"{NAMES[role]} is right on {each['accuracy']:.1%} instead of {each['fp32_accuracy']:.1%} "
        f"({plural(each['flips'], 'answer')} changed)"
        for role, each in networks.items()
    )
    sentences = [f"The networks are in {found['precision']}: of {plural(found['val_images'], 'val image')} {said}."]
    if "calibration" in found:
        sentences += [_calibrated(found["calibration"]), _kept(found)]
    return " ".join(filter(None, sentences))


def _calibrated(found: Mapping[str, Any]) -> str:
    ways, images = found["ways"], plural(found["images"], "training image")
    if "sent" not in ways:
        return f"The scales are from {images}, big's, too, since little sends none of them to big, or all."
    of_sent = plural(ways["sent"]["images"], "image")
    words = {"sent": f"{of_sent} that little sends to it", "all": "all of them"}
    chosen, other = (found["big"], "all") if found["big"] == "sent" else ("all", "sent")
    right = [ways[way]["right_of_sent"] for way in (chosen, other)]
    return (
        f"The scales are from {images}, those of big from {words[chosen]}: {plural(right[0], 'right answer')} on "
        f"the val images that little sends to big, and {right[1]:,} by {words[other]}."
    )


def _kept(found: Mapping[str, Any]) -> str:
    if found["bound"] is None:
        return ""
    kept = [row["layer"] for row in found["layers"] if row["in_float"]]
    most = f"{found['bound']['most_points_lost']:g} points"
    if not kept:
        return f"No network loses more than {most} with all layers in integers."
    return f"So that no network loses more than {most}, {plural(len(kept), 'layer')} stay in float: {_listed(kept)}."


def _listed(names: Iterable[str]) -> str:
    return listed(list(names), TOLD)


def _names(roles: Iterable[str]) -> str:
    return " and ".join(NAMES[role] for role in roles)


def file_sizes(bundle: Path, fp32: Path, files: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return the bytes of the files of a bundle beside those of the float networks, by role."""
    there = {role: name for role, name in files.items() if (fp32 / name).is_file()}
    return {
        role: {"bytes": (bundle / name).stat().st_size, "fp32_bytes": (fp32 / name).stat().st_size}
        for role, name in there.items()
    }
