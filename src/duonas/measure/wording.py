"""The verdict in words: what pays or what to use instead, why, and the next step."""

from __future__ import annotations

from collections.abc import Iterable

from duonas.core.text import plural
from duonas.measure import advice
from duonas.measure.row import Figures, Row, faster
from duonas.runtime.comparison import SAME
from duonas.runtime.files import FILE_OF
from duonas.runtime.units import written_count as count

NAMES = {"big": "big", "little": "little", "plain": "the plain network"}
EQUAL = 0.0005  # below a twentieth of a point accuracies are called equal
ROUGH = 0.1  # share of looks with a busy machine, above which the times are called rough
PLAIN = "The plain network is one subnet that the search saw, as the supernet gives it"


def plain_is(measured: Figures) -> str:
    """Say what the plain network is, as the beginning of a sentence; empty if there is none."""
    if "plain" not in measured:
        return ""
    alone = measured["plain"].get("alone")
    if not alone:
        return PLAIN
    length = plural(alone["steps"], "step") if alone["minutes"] is None else f"{alone['minutes']:.3g} minutes"
    return f"The plain network is one arch that the search chose, trained alone for {length}"


def trained_alone(measured: Figures) -> str:
    """Say how long the plain network was trained alone; empty if it was not."""
    return f"{plain_is(measured)}." if measured.get("plain", {}).get("alone") else ""


def pays(routed: Row, big: Row) -> str:
    """Say what routing gains over big alone."""
    if faster(routed, big):
        return f"Routing pays: it {_speed(routed, big)} and is {_accuracy(routed, big)}."
    return f"Routing pays: it is {_accuracy(routed, big, ' than big')}, and {_duration(routed, big, 'big')}."


def use(routed: Row, best: Row) -> str:
    """Name the network to use alone, and compare the routed pair with it."""
    took = _duration(routed, best, NAMES[best.name])
    return (
        f"Use {NAMES[best.name]} alone ({FILE_OF[best.name]}): the routed pair {took} and is {_accuracy(routed, best)}."
    )


def others(routed: Row, rest: Iterable[Row]) -> str:
    """Compare the routed pair with every other network, where routing pays."""
    return " ".join(
        f"Against {name} alone the pair is {_accuracy(routed, row)}, and {_duration(routed, row, name)}."
        for name, row in ((NAMES[row.name], row) for row in rest)
    )


def in_batches(routed: Row, big: Row, batch: str) -> str:
    """Compare the times of an image in batches of a size."""
    if faster(routed, big, batch):
        lower = f", but {_less(routed, big)} less accurate" if _is_worse(routed, big) else ""
        return f"At batch {batch} routing {_speed(routed, big, batch)}{lower}."
    return f"At batch {batch} routing {_duration(routed, big, 'big', batch)}."


def apart(best: Row, cheaper: Row, images: int) -> str:
    """Say that the test images cannot tell two networks apart, of which one is the cheaper."""
    times = f"{best.time().mean / cheaper.time().mean:.3g} times as fast" if best.times else "in MACs"
    return (
        f"The {images:,} test images cannot tell {NAMES[best.name]} and {NAMES[cheaper.name]} apart "
        f"({best.accuracy:.1%} against {cheaper.accuracy:.1%}); {NAMES[cheaper.name]} is the cheaper ({times})."
    )


def _is_worse(routed: Row, other: Row) -> bool:
    """Whether the routed pair is less accurate by more than the choice of test images explains, as far as is known."""
    if other.difference is not None:
        return other.difference.upper < 0
    return other.accuracy - routed.accuracy >= EQUAL


def _less(routed: Row, other: Row) -> str:
    return f"{100 * (other.accuracy - routed.accuracy):.1f} points"


def rough(busy: float | None) -> str:
    """Say that a machine was busy while the networks were timed; empty if it was not.

    Args:
        busy: the share of looks at which it was; ``None`` if it is not known.
    """
    if busy is None or busy <= ROUGH:
        return ""
    return f"The machine was busy in {busy:.0%} of the looks at it: the times are rough."


def after_success(routed: Row, big: Row) -> str:
    """Say what to do with a pair that pays."""
    if big.difference is not None and big.difference.lower < 0 < big.difference.upper:
        return (
            "More test images would tell the accuracies apart; time the pair on your own device before you rely on it."
        )
    return "Time the pair on your own device before you rely on it."


def why_not(measured: Figures, routed: Row, best: Row) -> tuple[str, str]:
    """Return why routing does not pay, and the next step."""
    reason, step = _why_not(measured, routed, best)
    return reason, advice.unlearned(measured) or step


def _why_not(measured: Figures, routed: Row, best: Row) -> tuple[str, str]:
    share = measured["routed"].get("little_share")
    if best.name == "plain":
        does_as_well = f"{plain_is(measured)}, of {count(best.macs)} MACs, and it does as well without a router."
        return does_as_well, advice.LARGER
    if share == 1:
        return "Little answers every image, so the router only adds its own time.", advice.ask_big(measured)
    if best.name == "little":
        return _beaten_by_little(measured)
    if not routed.times:
        return "Little and the router together need more MACs than they save.", advice.smaller(measured)
    parts = _parts(measured, share or 0.0, best)
    if share == 0:
        reason = "Big answers every image, so little and the router only add their own time."
        return reason, advice.ask_big_less(measured, parts)
    if routed.time().mean < (1 - SAME) * best.time().mean:
        return "The pair was faster on average, but by less than the noise of timing.", advice.QUIET
    return _largest_part(measured, parts)


def _beaten_by_little(measured: Figures) -> tuple[str, str]:
    little, big = (measured[role]["accuracy"] for role in ("little", "big"))
    accuracies = f"({big:.1%} against {little:.1%})"
    if little >= big:
        return f"Big is no more accurate than little {accuracies}, so asking it gains nothing.", advice.ahead(measured)
    if not advice.is_ahead(measured):
        return f"Big is hardly more accurate than little {accuracies}, within the noise.", advice.ahead(measured)
    return (
        f"Big is more accurate than little {accuracies}, but the router sends it the wrong images.",
        advice.ROUTER,
    )


def _largest_part(measured: Figures, parts: dict[str, float]) -> tuple[str, str]:
    """Name what takes most of the time beside what a lone big takes: the routing itself, little, or asking big."""
    largest = max(parts, key=parts.__getitem__)
    of_big = f"{parts[largest]:.0%} of big's time"
    if largest == "router":
        return f"Routing itself (decision, branch and copies) takes {of_big}.", advice.SLOWER
    if largest == "little":
        near = "too near big" if parts["little"] < 1 else "no faster than big"
        return f"Little is {near}: it takes {of_big}.", advice.smaller(measured)
    stay = 1 - parts["big"]
    reason = f"Little answers too few images: only {stay:.1%} stay little, the others need big as well."
    return reason, advice.ask_big_less(measured, parts)


def _parts(measured: Figures, share: float, big: Row) -> dict[str, float]:
    """The parts of the routed pair's mean time at batch 1 as fractions of big's."""
    whole, alone = big.time().mean, measured["little"]["latency_ms"]["mean"]
    routed, ideal = measured["routed"]["latency_ms"]["mean"], measured.get("ratio_to_ideal", {}).get("batch_1")
    before = measured.get("position", "after_little") != "after_little"
    added = routed * (1 - 1 / ideal) if ideal else 0.0
    return {"router": added / whole, "little": alone * (share if before else 1.0) / whole, "big": 1 - share}


def _speed(routed: Row, big: Row, batch: str = "1") -> str:
    """How much faster the routed pair is than big."""
    ours, theirs = routed.time(batch).mean, big.time(batch).mean
    if not routed.times:
        return f"needs {ours / theirs:.0%} of big's MACs"
    return f"is {theirs / ours:.3g} times as fast as big ({_against(ours, theirs)})"


def _duration(routed: Row, other: Row, name: str, batch: str = "1") -> str:
    """How the time of the routed pair compares with that of another network, called ``name``."""
    ours, theirs = routed.time(batch).mean, other.time(batch).mean
    if not routed.times:
        return f"needs {count(ours)} MACs against {count(theirs)}"
    times = _against(ours, theirs)
    if faster(routed, other, batch) or faster(other, routed, batch):
        return f"takes {ours / theirs:.3g} times as long as {name} ({times})"
    return f"takes as long as {name}, within the noise of timing ({times})"


def _against(ours: float, theirs: float) -> str:
    return f"{ours:#.3g} against {theirs:#.3g} ms an image"


def _accuracy(routed: Row, other: Row, than: str = "") -> str:
    """How the accuracy of the routed pair compares with that of another network."""
    gap = routed.accuracy - other.accuracy
    said = f"{abs(100 * gap):.1f} points {'more' if gap > 0 else 'less'} accurate{than}"
    said = "as accurate" if abs(gap) < EQUAL else said
    if other.difference is None:
        return said
    lower, upper = (f"{100 * limit:+.1f}" for limit in other.difference)
    noise = "within the noise of the test images: " if other.difference.lower <= 0 <= other.difference.upper else ""
    return f"{said} ({noise}95% interval {lower} to {upper})"
