"""Explains a run's threshold in plain words, from the JSON files of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from duonas.cli.tables import plan_table
from duonas.core.errors import DuonasError
from duonas.core.files import read_object, reading
from duonas.core.plan import Plan
from duonas.core.registry import summary
from duonas.costs.calibration import prices_in_words
from duonas.measure.constraints import comparisons
from duonas.measure.quantized import quantized_in_words
from duonas.measure.renewed import renewed_in_words
from duonas.measure.verdict import told, verdict_of
from duonas.routing.constraints import ConstraintCheck
from duonas.routing.options import FLOOR_NAMES, GUARANTEES
from duonas.rundir.folder import RunFolder
from duonas.runtime.units import percentage
from duonas.runtime.units import written_count as count

NEARBY = 0.05  # step in little share between the thresholds that are shown around tau
USEFUL = 0.5  # of the accuracy of big: a lower floor promises nothing worth having
ROUND = 2  # thresholds shown on either side of tau
PLACES = {
    "input": "It reads the image and decides before either network runs.",
    "stem": "It reads the features of the shared stem and decides before the rest of either network runs.",
    "after_little": "It reads little's logits: little runs on every image, and big also where little is not confident.",
}


def explain(folder: Path | str) -> list[str | Table]:
    """Explain a run's router and tau: its effect, how it was chosen, what is guaranteed, and how to change it.

    Returns:
        Paragraphs and tables, for rich to print.

    Raises:
        DuonasError: the folder is not a run, or its threshold is not chosen yet.
    """
    run, policy = _read(Path(folder))
    with reading(run.policy):
        return _explained(run, policy)


def _explained(run: RunFolder, policy: dict[str, Any]) -> list[str | Table]:
    said = [
        _router(policy), _decided(policy), _turned(policy), _chosen(policy), _constraints(policy), _prices(run),
        _narrowed(run), _searched(run), _renewed(run), _quantized(run),
    ]  # fmt: skip
    threshold: list[str | Table] = [*filter(None, said), _nearby(policy), _how_to_change(run, policy)]
    return [*threshold, *_planned(run), *_early_exits(run), *_measured(run)]


def decision(folder: Path | str) -> str:
    """Explain the effect of tau on an image and on a hundred images, and their costs."""
    run, policy = _read(Path(folder))
    with reading(run.policy):
        return _decided(policy)


def _decided(policy: dict[str, Any]) -> str:
    row = _row_of(policy)
    return " ".join([*_rule(policy, row), *_price(policy, row), _right(policy, row)])


ENERGY = "was measured by the energy meter of the machine that chose it."


def _read(folder: Path) -> tuple[RunFolder, dict[str, Any]]:
    run = RunFolder(folder)
    if "route" not in run.stages or run.stages["route"].get("stale"):
        raise DuonasError(f"{folder} has no threshold yet: resume it first with `duonas run {folder}`.")
    policy = read_object(run.policy)
    with reading(run.policy):
        return run, {**policy, "tau": float(policy["tau"]), "table": [_numbers(row) for row in policy["table"]]}


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
            f"The router is {router['kind']}, but on calib it does not tell hard from easy images significantly "
            "better than chance. It routes at random, on the straight line between little and big. More calib images "
            "may help."
        )
    line = _line("router", router["kind"])
    score = f", by {router['score']}: {_line('score', router['score'])}".removesuffix(": ") if "score" in router else ""
    about = f": {line}" if line else ""
    if router.get("statistic"):
        about += f" (here {router['statistic']})"
    if router.get("centre") is not None:
        score += "; images of very low confidence stay little, too"
    return f"The router is {router['kind']}{score}{'' if score else about}. {PLACES[router['position']]}"


def _line(kind: str, name: str) -> str:
    """Return the summary of a part; empty if this installation does not have it."""
    try:
        line = summary(kind, name)
    except DuonasError:
        return ""
    return line[:1].lower() + line[1:]


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
            f"On the machine where the pair was timed, one image at a time, that takes {little:.3g} ms if it stays "
            f"little, {big:.3g} ms if it goes to big, and {row['expected_ms']:.3g} ms on average at this tau."
        )


def _ways(costs: dict[str, Any]) -> tuple[float, float]:
    """Return the cost of an image that stays little, and of one that goes to big."""
    least = costs["stem"] + costs["router"] + costs["little"]
    return least, least + costs["big"] - (costs["little"] if costs["before"] else 0)


def _right(policy: dict[str, Any], row: dict[str, float]) -> str:
    sure = 2 * policy["confidence"] - 1
    return (
        f"Its accuracy is {row['accuracy']:.1%} on the {policy['images']:,} calib images that tau was chosen on "
        f"({sure:.0%} interval for this tau alone: {row['accuracy_lower']:.1%} to {row['accuracy_upper']:.1%})."
    )


def _turned(policy: dict[str, Any]) -> str:
    row, table = _row_of(policy), policy["table"]
    said = []
    for word, other in (("Raising", _away(table, row, -NEARBY)), ("Lowering", _away(table, row, NEARBY))):
        if other is row:
            continue  # tau is at the end of the table
        images = abs(100 * (other["little_share"] - row["little_share"]))
        side = "big" if other["little_share"] < row["little_share"] else "little"
        by = abs(other["tau"] - row["tau"])
        step = f" by {by:.2g}" if by < float("inf") else ""
        said.append(
            f"{word} tau{step} to {_shown(other['tau'])} would send {images:.0f} more of 100 images to {side}: "
            f"{other['accuracy']:.1%} accuracy for {count(other['expected_macs'])} MACs."
        )
    return " ".join(said)


def _away(table: list[dict[str, float]], row: dict[str, float], share: float) -> dict[str, float]:
    """Return the row whose little share is nearest to that of ``row`` plus ``share``."""
    return min(table, key=lambda other: (abs(other["little_share"] - row["little_share"] - share), other is not row))


def _chosen(policy: dict[str, Any]) -> str:
    choice, confidence = policy["choice"], policy["confidence"]
    promised = GUARANTEES[policy.get("floor_on", "accuracy")].format("{floor}")
    targets = {
        "floor": f"Tau is the cheapest threshold that guarantees {promised}.",
        "budget": "Tau is the most accurate threshold that costs at most {budget:,.0f} MACs per image on average.",
        "budget_ms": "Tau is the most accurate threshold that takes at most {budget_ms:.4g} ms per image on average by "
        "the device table of the search.",
        "budget_mj": "Tau is the most accurate threshold that needs at most {budget_mj:.4g} mJ per image on average "
        "by the device table of the search.",
        "share": "Tau is the threshold whose little share is nearest to {share}.",
        "latency": "Tau is the most accurate threshold that takes at most {latency:.4g} ms per image on average.",
        "energy": "Tau is the most accurate threshold that needs at most {energy:.4g} mJ per image on average, as "
        + ("measured latency times {watts:.4g} W; energy was not measured." if "watts" in choice else ENERGY),
        "within_constraints": "Tau is the most accurate threshold that keeps the constraints of the search; none that "
        "keeps them is as accurate as big, to within half a point.",
        "within_big": "Tau is the cheapest threshold that is as accurate as big, to within {within_big:.1%}.",
    }
    said = choice | {name: percentage(choice[name]) for name in ("floor", "share") if name in choice}
    how = next((text.format(**said) for name, text in targets.items() if name in choice), "Tau was given.")
    if "floor" not in choice:
        return f"{how} That holds on calib and is not guaranteed for other images: only a floor is a guarantee."
    return (
        f"{how} The guarantee has {confidence:.0%} confidence for new images of the same distribution: if tau were "
        f"chosen in this way on 100 other calib splits, about {100 * (1 - confidence):.0f} at most would miss the "
        "floor. It does not hold if the images change."
    )


def _constraints(policy: dict[str, Any]) -> str:
    """Say what the pair takes of everything that the search was constrained by."""
    said = "; ".join(ConstraintCheck.from_json(each).sentence for each in policy.get("constraints", ()))
    return said and f"{said[0].upper()}{said[1:]}."


def _prices(run: RunFolder) -> str:
    """Say what the times and energies of the search are from, and how far they are off."""
    if not run.front.exists():
        return ""
    found = read_object(run.front)
    with reading(run.front):
        return prices_in_words(found.get("device"))


def _narrowed(run: RunFolder) -> str:
    """The part of the search space that was searched; empty if it was all of it."""
    if not run.narrow.exists():
        return ""
    found = read_object(run.narrow)
    with reading(run.narrow):
        return str(found["said"])


def _searched(run: RunFolder) -> str:
    """What the search's strategy learned; empty if it has nothing to say."""
    if not run.front.exists():
        return ""
    found = read_object(run.front)
    with reading(run.front):
        return str((found.get("strategy") or {}).get("said", ""))


def _renewed(run: RunFolder) -> str:
    """Say what the training of the pair changed; empty if it comes straight from the supernet."""
    if not run.finetuned.exists():
        return ""
    found = read_object(run.finetuned)
    with reading(run.finetuned):
        return renewed_in_words(found)


def _quantized(run: RunFolder) -> str:
    """Say what the precision of the networks changed; empty if they are in float."""
    if not run.recipe.export.converts or not run.quantized_facts.exists():
        return ""
    found = read_object(run.quantized_facts)
    with reading(run.quantized_facts):
        return quantized_in_words(found)


def _planned(run: RunFolder) -> Iterator[Table]:
    """The plan of the run's minutes, and what was used, if it has a limit of time."""
    if run.plan.exists():
        yield plan_table(Plan.load(run.plan))


def _early_exits(run: RunFolder) -> Iterator[str]:
    """Compare the pair with each network of several exits and the OFA pair, if there are some, at equal mean cost."""
    stage = run.stages.get("baselines")
    if stage is None or stage.get("stale"):
        return
    found = read_object(run.baselines)
    with reading(run.baselines):
        for each in filter(None, (*found.get("exits", ()), found.get("ofa_pair"))):
            for compared in ("against_pair", "against_pair_in_time"):
                if compared in each:
                    yield str(each[compared]["sentence"])


def _measured(run: RunFolder) -> tuple[str, ...]:
    """The result on the test split, and last of all the verdict."""
    if "measure" not in run.stages:
        return (f"Accuracy on the test split has not been measured with this tau yet: duonas report {run.folder}.",)
    measured = read_object(run.measure)
    with reading(run.measure):
        routed = measured["routed"]
        five = f" (top-5: {routed['top5_accuracy']:.1%})" if "top5_accuracy" in routed else ""
        result = (
            f"On the test split the accuracy is {routed['accuracy']:.1%}{five} for {count(routed['expected_macs'])} "
            f"MACs per image, and {routed['little_share']:.0%} of the images stay little."
        )
        warning = measured.get("unlike_calib")  # earlier versions did not compare
        said = result, warning and f"Warning: {warning}", "\n".join(comparisons(measured)), told(verdict_of(measured))
        return tuple(filter(None, said))


def _nearby(policy: dict[str, Any]) -> Table:
    rows, row, timed = policy["table"], _row_of(policy), "times_ms" in policy
    near = [_away(rows, row, step * NEARBY) for step in range(-ROUND, ROUND + 1)]
    table = Table(title="Other thresholds, on the same images:", title_justify="left", title_style="", box=None,
                  header_style="", pad_edge=False, padding=(0, 2, 0, 0))  # fmt: skip
    table.add_column()
    for heading in ("tau", "stay little", "accuracy", "guaranteed", "MACs", *(["ms"] if timed else [])):
        table.add_column(heading, justify="right")
    if rows[0]["tau"] == float("inf"):  # all images go to big, but little and the router may run, too
        table.add_row(*_big_alone(policy, rows[0], timed))
    for each in rows:
        if each in (rows[0], *near, rows[-1]):
            time = [f"{each['expected_ms']:.3g}"] if timed else []
            holds = f"{each['holds']:.1%}" if each["holds"] else "-"
            table.add_row("->" if each is row else "", _shown(each["tau"]), f"{each['little_share']:.1%}",
                          f"{each['accuracy']:.1%}", holds, count(each["expected_macs"]), *time)  # fmt: skip
    return table


def _big_alone(policy: dict[str, Any], row: dict[str, float], timed: bool) -> Iterator[str]:
    """The cells of big without router and little; ``row`` is the threshold at which every image goes to big."""
    yield from ("", "big alone", "-", f"{row['accuracy']:.1%}", f"{row['holds']:.1%}" if row["holds"] else "-")
    yield count(policy["costs"]["stem"] + policy["costs"]["big"])
    if timed:
        yield f"{policy['times_ms']['stem'] + policy['times_ms']['big']:.3g}"


def _how_to_change(run: RunFolder, policy: dict[str, Any]) -> str:
    row = _row_of(policy)
    floor = int(1000 * policy["table"][0]["holds"]) / 1000
    guaranteed = (
        f"--floor {percentage(floor)}",
        f"{FLOOR_NAMES[policy.get('floor_on', 'accuracy')]}; the highest floor that can be guaranteed",
    )
    lines = [
        *([guaranteed] if floor >= USEFUL * policy["table"][0]["accuracy"] else []),
        (f"--budget {_above(row['expected_macs'])}", "MACs per image, on average"),
        (f"--share {row['little_share']:.0%}", "of the images stay little"),
        ("--latency 2ms", "per image, on average, on this machine"),
        ("--energy 3mJ --watts 5", "per image, on average: by the machine's meter, else latency times 5 W"),
    ]
    width = max(len(arguments) for arguments, _ in lines)
    said = [f"  duonas route {run.folder} {arguments.ljust(width)}  # {why}" for arguments, why in lines]
    return "\n".join(["To choose another tau, in seconds and without training:", *said])


def _above(macs: float) -> int:
    """Round up to three digits."""
    step = 10 ** max(0, len(str(int(macs))) - 3)
    return int(-(-macs // step)) * int(step)


def _shown(tau: float) -> str:
    return f"{tau:.4g}"
