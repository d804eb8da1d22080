"""The next step where routing does not pay, such that no figure contradicts it."""

from __future__ import annotations

from dataclasses import dataclass

from duonas.measure.row import Figures, Row
from duonas.routing.bounds import paired_difference

UNLEARNED = 0.5  # accuracy below which a network has much to learn yet
SKILL = 0.25  # likewise, of the way from the accuracy of a constant answer to 1
NEAR = 0.75  # of big's accuracy that little has at least if it may answer more images
WORTH = 0.9  # of big's time that a routed pair may take for a share to be advised
SHARES = (0.5, 0.8, 0.9)  # to advise

QUIET = "Measure again on a quiet machine, with more [measure] latency_images."
SLOWER = "Routing needs networks that take longer: a larger big or larger images, or a slower device."
ROUTER = "Try another router ([route] router), or more images in the calib split."
LARGER = "Routing has more to gain from a larger big, further from little, and from images that are harder to tell."


@dataclass(frozen=True)
class Steps:
    """What to do about a pair, which depends on where its networks are from.

    Args:
        ahead: so that big gets ahead of little.
        or_ahead: likewise, after another step.
        surer: so that little is right more often.
        or_surer: likewise, after another step.
        smaller: so that little takes less beside big.
        unlearned: where a network, ``{role}``, is right too rarely for anything else to help.
    """

    ahead: str
    or_ahead: str
    surer: str
    or_surer: str
    smaller: str
    unlearned: str


TRAINED = Steps(
    ahead="Train longer, or with more images, so that a large network gets ahead of a small one.",
    or_ahead="train longer so that big gets ahead.",
    surer="Make little surer: more images, or longer training.",
    or_surer="make little surer: more images, or longer training.",
    smaller="Let the search find a little further from big (a limit on little_latency_ms or little_macs in "
    "[search.constraints]), or take a larger big.",
    unlearned="First train longer, or with more images",
)
GIVEN = Steps(  # nothing is trained, so the pair is changed by what it is made of
    ahead="Give a more accurate big, or several to choose from (--big A B), or fine-tune it on images like these.",
    or_ahead="give a more accurate big.",
    surer="Give a more accurate little, or several to choose from (--little A B), or little at larger images, or "
    "fine-tune it on images like these.",
    or_surer="give a more accurate little: another one, the same at larger images, or fine-tuned on images like these.",
    smaller="Give a little that takes less, or several to choose from (--little A B), or little at smaller images, or "
    "a larger big.",
    unlearned="First check the size, range, mean, std and order of classes that {role} wants, and whether it wants the "
    "centre of an image or all of it (--set data.resize=squash), and fine-tune it on images like these if they are "
    "right",
)
QUANTISE = " To save time without routing, try --set export.precision=int8."


def steps(measured: Figures) -> Steps:
    """The steps for a pair."""
    return GIVEN if measured.get("coupling") == "given" else TRAINED


def unlearned(measured: Figures) -> str:
    """Advise on a network that is right too rarely for anything else to help; else empty."""
    constant = float(measured.get("majority", {}).get("accuracy", 0.0))
    for role in ("big", "little"):
        accuracy = float(measured[role]["accuracy"])
        if accuracy < max(UNLEARNED if role == "big" else 0.0, constant + SKILL * (1 - constant)):
            than = f", and a constant answer on {constant:.1%}" if constant else ""
            return f"{steps(measured).unlearned.format(role=role)}: {role} is right on {accuracy:.1%} only{than}."
    return ""


def ahead(measured: Figures) -> str:
    """What to do where big is no more accurate than little."""
    return steps(measured).ahead


def smaller(measured: Figures) -> str:
    """What to do where little is too near big in cost."""
    given = measured.get("coupling") == "given" and "precision" not in measured
    return steps(measured).smaller + (QUANTISE if given else "")


def ask_big(measured: Figures) -> str:
    """What to do where little answers every image."""
    if not is_ahead(measured):
        return ahead(measured)
    return f"Choose a threshold that asks big (duonas route RUN --share 80%), or {steps(measured).or_ahead}"


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
        return steps(measured).surer
    if not enough:
        return smaller(measured)
    share = f"(duonas route RUN --share {enough[0]:.0%})"
    return f"Accept a little less accuracy {share}, or {steps(measured).or_surer}"


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
