"""What quantising the networks changed on the val split, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.core.text import listed, plural

NAMES = {"big": "big", "little": "little", "plain": "the plain network"}
TOLD = 4  # layers that are named in a sentence


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
    layers = f"{plural(len(kept), 'layer')} stay in float: {listed(kept, TOLD)}"
    return f"So that no network loses more than {most}, {layers}."
