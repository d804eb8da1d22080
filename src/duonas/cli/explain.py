"""What a run's threshold does, in plain words, from the JSON files of the run alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from duonas.cli.catalogue import LINES, ROUTERS
from duonas.cli.tables import count
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.rundir.run import Run

NEARBY = 0.05  # of the images: how far apart the thresholds are that are shown around tau
ROUND = 2  # of them on either side
PLACES = {
    "input": "It sees the image and decides before either network runs.",
    "stem": "It sees what the shared stem computed and decides before either network runs on.",
    "after_little": "It sees what little answered: little runs on every image, big after it where little is unsure.",
}


def explain(folder: Path | str) -> str:
    """Which router a run has, what its tau does, how that was chosen, what is promised, and how to change it.

    Raises:
        DuonasError: not a run, or one whose threshold is not chosen yet.
    """
    run, policy = _read(Path(folder))
    parts = [_router(policy), decision(folder), _turned(policy), _chosen(policy), _measured(run), _nearby(policy)]
    return "\n\n".join([*(part for part in parts if part), _how_to_change(run, policy)])


def decision(folder: Path | str) -> str:
    """What tau does to an image and to a hundred of them, and what they cost."""
    _, policy = _read(Path(folder))
    row = _row_of(policy)
    return " ".join([*_rule(policy, row), *_price(policy, row), _right(policy, row)])


def _read(folder: Path) -> tuple[Run, dict[str, Any]]:
    run = Run(folder)
    if "route" not in run.stages or run.stages["route"].get("stale"):
        raise DuonasError(f"{folder} has no threshold yet: go on with it first, duonas run {folder}.")
    path = run.pair / "policy.json"
    policy = read_json(path)
    try:
        return run, {**policy, "tau": float(policy["tau"]), "table": [_numbers(row) for row in policy["table"]]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DuonasError(
            f"{path} is damaged or of another version of duonas: {type(error).__name__} {error}."
        ) from error


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    known = {name: float(value) for name, value in row.items()}
    return {name: known[name] for name in ("holds", "accuracy_upper")} | known


def _row_of(policy: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = next(row for row in policy["table"] if row["tau"] == policy["tau"])
    return found


def _router(policy: dict[str, Any]) -> str:
    router = policy["router"]
    if router.get("sign") == 0 or ("network" in router and router["network"] is None):
        return (
            f"The router is {router['kind']}, but it found nothing on calib that tells hard images from easy ones by "
            "more than luck, so it draws lots: its curve is the straight line between little and big. More calib "
            "images may help."
        )
    line = ROUTERS.get(router["kind"])
    score = f", by {router['score']}: {LINES[router['score']]}" if router.get("score") in LINES else ""
    about = f": {line}" if line else ""
    if router.get("statistic"):
        about += f" (here {router['statistic']})"
    if router.get("centre") is not None:
        score += "; images of which it is hopelessly unsure stay little, too"
    return f"The router is {router['kind']}{score}{'' if score else about}. {PLACES[router['position']]}"


def _rule(policy: dict[str, Any], row: dict[str, float]) -> Iterator[str]:
    tau, kept = policy["tau"], round(100 * row["little_share"])
    if tau == float("inf"):
        yield "Tau is infinite: every image goes to big."
    elif tau == float("-inf"):
        yield "Tau is minus infinity: every image stays little."
    else:
        yield f"An image stays little when its score is at least tau = {tau:.4g}."
        yield f"Of 100 images about {kept} stay little and {100 - kept} go to big."


def _price(policy: dict[str, Any], row: dict[str, float]) -> Iterator[str]:
    little, big = _ways(policy["costs"])
    yield (
        f"An image that stays little costs {count(little)} MACs and one that goes to big {count(big)}; on average an "
        f"image costs {count(row['expected_macs'])}."
    )
    if "times_ms" in policy:
        little, big = _ways(policy["times_ms"])
        yield (
            f"On the machine that it was timed on, one at a time, that is {little:.3g} ms, {big:.3g} ms, and "
            f"{row['expected_ms']:.3g} ms on average."
        )


def _ways(costs: dict[str, Any]) -> tuple[float, float]:
    """What an image costs that stays little, and one that goes to big."""
    least = costs["stem"] + costs["router"] + costs["little"]
    return least, least + costs["big"] - (costs["little"] if costs["before"] else 0)


def _right(policy: dict[str, Any], row: dict[str, float]) -> str:
    sure = 2 * policy["confidence"] - 1
    return (
        f"It answered {row['accuracy']:.1%} right on the {policy['images']:,} calib images that tau was chosen on "
        f"({sure:.0%} interval for this tau alone: {row['accuracy_lower']:.1%} to {row['accuracy_upper']:.1%})."
    )


def _turned(policy: dict[str, Any]) -> str:
    """What a higher and a lower tau would do."""
    row, table = _row_of(policy), policy["table"]
    said = []
    for word, other in (("Raising", _away(table, row, -NEARBY)), ("Lowering", _away(table, row, NEARBY))):
        if other is row:
            continue  # there is none beyond
        images = abs(100 * (other["little_share"] - row["little_share"]))
        side = "big" if other["little_share"] < row["little_share"] else "little"
        by = abs(other["tau"] - row["tau"])
        step = f" by {by:.2g}" if by < float("inf") else ""
        said.append(
            f"{word} tau{step} to {_shown(other['tau'])} would have {images:.0f} more of 100 images go to {side}: "
            f"{other['accuracy']:.1%} right for {count(other['expected_macs'])} MACs."
        )
    return " ".join(said)


def _away(table: list[dict[str, float]], row: dict[str, float], share: float) -> dict[str, float]:
    """The row whose little share is nearest to that of ``row`` and ``share`` more."""
    return min(table, key=lambda other: (abs(other["little_share"] - row["little_share"] - share), other is not row))


def _chosen(policy: dict[str, Any]) -> str:
    choice, confidence = policy["choice"], policy["confidence"]
    targets = {
        "floor": "Tau is the cheapest that holds an accuracy of {floor:.4g}.",
        "budget": "Tau is the most accurate that costs at most {budget:,.0f} MACs an image on average.",
        "share": "Tau is the one that keeps nearest to {share:.4g} of the images little.",
        "latency": "Tau is the most accurate that takes at most {latency:.4g} ms an image on average.",
        "energy": "Tau is the most accurate that needs at most {energy:.4g} mJ an image on average: measured time, at "
        "{watts:.4g} W that were given; no energy was measured.",
        "within_big": "Tau is the cheapest that is as accurate as big alone, to within {within_big:.1%}.",
    }
    how = next((text.format(**choice) for name, text in targets.items() if name in choice), "Tau was given.")
    if "floor" not in choice:
        return f"{how} That was so on calib and is not promised for other images: only a floor comes with a promise."
    return (
        f"{how} That is promised with {confidence:.0%} confidence for new images of the same kind: were tau chosen "
        f"like this on 100 other calib splits, about {100 * (1 - confidence):.0f} at most would miss the floor. It is "
        "not promised where the images change."
    )


def _measured(run: Run) -> str:
    if "measure" not in run.stages:
        return f"It has not been measured on the test split with this tau: duonas report {run.folder}."
    routed = read_json(run.measure)["routed"]
    return (
        f"On the test split it answered {routed['accuracy']:.1%} right for {count(routed['expected_macs'])} MACs an "
        f"image, with {routed['little_share']:.0%} of the images at little."
    )


def _nearby(policy: dict[str, Any]) -> str:
    """A table of thresholds around tau and of both ends."""
    table, row = policy["table"], _row_of(policy)
    rows = [_away(table, row, step * NEARBY) for step in range(-ROUND, ROUND + 1)]
    shown = [each for each in table if each in (table[0], *rows, table[-1])]
    head = ["", "tau", "stay little", "right", "floor held", "MACs", *(["ms"] if "times_ms" in policy else [])]
    cells = [head] + [_cells(each, each is row, "times_ms" in policy) for each in shown]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join(["Other thresholds, on the same images:", *lines])


def _cells(row: dict[str, float], chosen: bool, timed: bool) -> list[str]:
    holds = f"{row['holds']:.1%}" if row["holds"] else "-"
    figures = [_shown(row["tau"]), f"{row['little_share']:.1%}", f"{row['accuracy']:.1%}", holds]
    return [
        "->" if chosen else "",
        *figures,
        count(row["expected_macs"]),
        *([f"{row['expected_ms']:.3g}"] if timed else []),
    ]


def _how_to_change(run: Run, policy: dict[str, Any]) -> str:
    """Commands that work as they stand: their values are of the table."""
    row = _row_of(policy)
    floor = int(1000 * policy["table"][0]["holds"]) / 1000
    lines = [
        (f"--floor {floor:g}", "accuracy; no higher floor can be promised"),
        (f"--budget {_above(row['expected_macs'])}", "MACs an image, on average"),
        (f"--share {row['little_share']:.2f}", "of the images stay little"),
        ("--latency 2ms", "an image, on average, on this machine"),
        ("--energy 3mJ --watts 5", "an image, on average: that time at 5 W"),
    ]
    width = max(len(arguments) for arguments, _ in lines)
    said = [f"  duonas route {run.folder} {arguments.ljust(width)}  # {why}" for arguments, why in lines]
    return "\n".join(["To choose tau again, in seconds and without training:", *said])


def _above(macs: float) -> int:
    """The whole number of three digits that is not below ``macs``."""
    step = 10 ** max(0, len(str(int(macs))) - 3)
    return int(-(-macs // step)) * int(step)


def _shown(tau: float) -> str:
    return f"{tau:.4g}"
