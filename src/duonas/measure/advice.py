"""The next step where routing does not pay, such that no figure contradicts it."""

from __future__ import annotations

from duonas.measure.row import Figures, Row
from duonas.routing.bounds import paired_difference

UNLEARNED = 0.5  # accuracy below which a network has much to learn yet
SKILL = 0.25  # likewise, of the way from the accuracy of a constant answer to 1
NEAR = 0.75  # of big's accuracy that little has at least if it may answer more images
WORTH = 0.9  # of big's time that a routed pair may take for a share to be advised
SHARES = (0.5, 0.8, 0.9)  # to advise

QUIET = "Measure again on a quiet machine, with more [measure] latency_images."
LONGER = "Train longer, or with more images, so that a large network gets ahead of a small one."
SURER = "Make little surer: more images, or longer training."
SLOWER = "Routing needs networks that take longer: a larger big or larger images, or a slower device."
SMALLER = (
    "Let the search find a little further from big (a limit on little_latency_ms or little_macs in "
    "[search.constraints]), or take a larger big."
)
ROUTER = "Try another router ([route] router), or more images in the calib split."
LARGER = "Routing has more to gain from a larger big, further from little, and from images that are harder to tell."


def unlearned(measured: Figures) -> str:
    """Advise a longer training where a network is right too rarely for anything else to help; else empty."""
    constant = float(measured.get("majority", {}).get("accuracy", 0.0))
    for role in ("big", "little"):
        accuracy = float(measured[role]["accuracy"])
        if accuracy < max(UNLEARNED if role == "big" else 0.0, constant + SKILL * (1 - constant)):
            than = f", and a constant answer on {constant:.1%}" if constant else ""
            return f"First train longer, or with more images: {role} is right on {accuracy:.1%} only{than}."
    return ""


def ask_big(measured: Figures) -> str:
    """What to do where little answers every image."""
    if not is_ahead(measured):
        return LONGER
    return "Choose a threshold that asks big (duonas route RUN --share 80%), or train longer so that big gets ahead."


def ask_big_less(measured: Figures, parts: dict[str, float]) -> str:
    """What to do where little answers too few images.

    Args:
        measured: the content of ``measure.json``.
        parts: the times of router, little and asking big as fractions of big's.
    """
    little, big = (float(measured[role]["accuracy"]) for role in ("little", "big"))
    fixed = parts["router"] + parts["little"]
    enough = [each for each in SHARES if each > 1 - parts["big"] and fixed + 1 - each < WORTH]
    if little < NEAR * big:
        return SURER
    if not enough:
        return SMALLER
    return (
        f"Accept a little less accuracy (duonas route RUN --share {enough[0]:.0%}), or make little surer: more images, "
        "or longer training."
    )


def is_ahead(measured: Figures) -> bool:
    """Whether big is more accurate than little by more than chance explains, as far as that is known."""
    little, big = (float(measured[role]["accuracy"]) for role in ("little", "big"))
    found = _only(measured)
    return big > little and (found is None or paired_difference(*found, int(measured["test_images"])).lower > 0)


def cannot_tell(one: Row, other: Row, measured: Figures) -> bool:
    """Whether the test images leave open which of two networks is more accurate."""
    if one.interval is None or other.interval is None:
        return False
    found = _only(measured)
    if found is not None and {one.name, other.name} == {"big", "little"}:
        apart = paired_difference(*found, int(measured["test_images"]))
        return apart.lower <= 0 <= apart.upper
    return one.interval.lower <= other.accuracy <= one.interval.upper and (
        other.interval.lower <= one.accuracy <= other.interval.upper
    )


def _only(measured: Figures) -> tuple[int, int] | None:
    """The numbers of images that only big and only little gets right, if they are known."""
    rows = {row["right"]: int(row["images"]) for row in measured.get("outcomes", ())}
    if not measured.get("test_images") or not rows.keys() >= {"only_big", "only_little"}:
        return None
    return rows["only_big"], rows["only_little"]
