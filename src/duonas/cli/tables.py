"""The tables that the command line prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from duonas.core.plan import Plan
from duonas.core.text import format_seconds, plural
from duonas.routing.options import FLOOR_NAMES
from duonas.runtime.units import percentage
from duonas.runtime.units import written_count as count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duonas.pipeline.narrow import Narrowing
    from duonas.pipeline.profile import Profile, Spread

UNITS = {"bytes": " KB", "ms": " ms", "mj": " mJ"}  # by the suffix of a figure's name; 1 KB has 1,000 bytes


def profile_tables(profile: Profile) -> list[Table]:
    """Return the number of archs and pairs, the range of each figure, and the feasibility of constraints."""
    sizes = Table(box=None, show_header=False, pad_edge=False)
    sizes.add_column()
    sizes.add_column(justify="right", overflow="fold")
    own = profile.little_archs is not None
    sizes.add_row("big's archs" if own else "archs", f"{profile.archs:,}")
    if own:
        sizes.add_row("little's archs", f"{profile.little_archs:,}")
    if profile.measured is not None:
        sizes.add_row("in the device table", f"{profile.measured:,}")
    for name, pairs in profile.couplings.items():
        mine = ", the recipe's" if name == profile.coupling else ""
        sizes.add_row(f"{name} pairs{mine}", f"{pairs:,}")
    if profile.splits:
        sizes.add_row("partial: splits", f"after stage {' or '.join(map(str, profile.splits))}")
    if profile.promise is not None:
        found = profile.promise
        highest = int(1e4 * found.floor) / 1e4  # rounded down, so that this floor is possible
        sizes.add_row(
            f"highest {FLOOR_NAMES[found.floor_on]} that calib can guarantee",
            f"{highest:.2%}, with {percentage(found.confidence)} confidence on {plural(found.images, 'image')}",
        )
    tables = [sizes, _spreads("big's" if own else "an arch's", profile.figures)]
    if own:
        tables.append(_spreads("little's", profile.little_figures))
    if profile.possible:
        least = Table("a pair's", box=None, header_style="bold", pad_edge=False)
        least.add_column("least of any found", justify="right")
        for name, value in profile.possible.items():
            least.add_row(words(name), amount(name, value))
        tables.append(least)
    if profile.plan is not None:
        tables.append(plan_table(profile.plan))
    if profile.constraints:
        limits = Table("constraint", "at most", "can be met", "", box=None, header_style="bold", pad_edge=False)
        for limit in profile.constraints:
            met = "[green]yes[/green]" if limit.met else "[red]no[/red]"
            limits.add_row(words(limit.name), amount(limit.name, limit.limit), met, escape(limit.why))
        tables.append(limits)
    return tables


def narrowing_table(found: Narrowing) -> Table:
    """Return the parts of a search space, the best first, with what meets the constraints in them."""
    names = list(dict.fromkeys(name for part in found.parts for name in part.axes))
    table = Table(*names, box=None, header_style="bold", pad_edge=False)
    for heading in ("drawn pairs that fit", "little's MACs", "big's MACs"):
        table.add_column(heading, justify="right")
    for part in found.parts:
        kept = [", ".join(f"{value:g}" for value in part.axes[name]) for name in names]
        sizes = (count(each) if each == each else "" for each in (part.little_macs, part.big_macs))
        table.add_row(*kept, f"{part.fits:.1%}", *sizes)
    return table


def plan_table(plan: Plan) -> Table:
    """Return what each part of a run gets of its minutes, and what it took where that is known."""
    rows = list(plan.rows())
    taken = any(used is not None for *_, used in rows[1:])
    table = Table(f"plan of {plan.minutes:g} minutes", "", box=None, header_style="bold", pad_edge=False)
    for heading in ("planned", *(["took"] if taken else [])):
        table.add_column(heading, justify="right")
    for name, work, seconds, used in rows:
        took = [format_seconds(used) if used is not None else ""] if taken else []
        table.add_row(name, work, format_seconds(seconds), *took)
    return table


def _spreads(title: str, figures: Mapping[str, Spread]) -> Table:
    table = Table(title, box=None, header_style="bold", pad_edge=False)
    for heading in ("min", "median", "max"):
        table.add_column(heading, justify="right")
    for name, figure in figures.items():
        table.add_row(words(name), *(amount(name, value) for value in (figure.least, figure.median, figure.most)))
    return table


def summary_table(measured: dict[str, Any]) -> Table:
    """Return accuracy, MACs and latency of little, big and routed from ``measure.json``."""
    table = Table("on the test split", box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    many = "top5_accuracy" in measured["routed"]  # classes
    headings = ("accuracy", *(["top-5"] if many else []), "balanced", "worst class", "MACs", "latency p50")
    for heading in (*headings, "stay little"):
        table.add_column(heading, justify="right")
    for role in ("little", "big", "routed"):
        figures = measured[role]
        by_class = [f"{figures['balanced_accuracy']:.2%}", f"{figures['worst_class']['accuracy']:.2%}"]
        if many:
            by_class.insert(0, f"{figures['top5_accuracy']:.2%}")
        macs = figures["expected_macs"] if role == "routed" else figures["macs"]
        share = f"{figures['little_share']:.1%}" if role == "routed" else ""
        latency = f"{figures['latency_ms']['p50']:.3f} ms"
        table.add_row(role, f"{figures['accuracy']:.2%}", *by_class, count(macs), latency, share)
    for role in ("random", "oracle"):
        reached, macs = f"{measured[role]['accuracy']:.2%}", count(measured[role]["expected_macs"])
        table.add_row(*(f"[dim]{cell}[/dim]" for cell in (f"{role} router", reached, *[""] * (2 + many), macs)))
    constant = measured["majority"]
    cells = (
        f"always {escape(constant['class'])}",
        f"{constant['accuracy']:.2%}",
        *([""] if many else []),
        f"{constant['balanced_accuracy']:.2%}",
    )
    table.add_row(*(f"[dim]{cell}[/dim]" for cell in cells))
    return table


def verdict_table(verdict: dict[str, Any]) -> Table:
    """Return what the verdict compares: accuracy with its interval, mean time of an image by batch size, bytes."""
    rows = verdict["rows"]
    sizes = list(rows[0]["batch"])
    table = Table(
        "does it pay", box=None, header_style="bold", pad_edge=False, collapse_padding=True, caption_justify="left",
        caption_style="dim",
    )  # fmt: skip
    times = [f"{'' if number else 'ms, '}batch {size}" for number, size in enumerate(sizes)]
    for heading in ("accuracy", "95% interval", *times, "weights", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        between = " - ".join(f"{100 * limit:.1f}" for limit in row["interval"]) + "%" if row["interval"] else ""
        cells = [f"{row['batch'][size]:#.3g}" for size in sizes]
        stored = (row["weight_bytes"], row["peak_memory_bytes"])
        kept = ["" if each is None else f"{each / 1000:,.0f} KB" for each in stored]
        table.add_row(row["name"], f"{row['accuracy']:.2%}", between, *cells, *kept)
    table.caption = "weights in the ONNX file; memory: activations at batch 1"
    return table


def comparison_table(found: dict[str, Any]) -> Table:
    """Return the mean accuracy of each variant of a study, with the standard deviation over its seeds."""
    table = Table("on the test split", box=None, header_style="bold", pad_edge=False)
    for heading in ("little", "routed", "big", "expected MACs"):
        table.add_column(heading, justify="right")
    for variant in found["variants"]:
        figures = variant["figures"]
        cells = [_spread(figures[role]) for role in ("little", "routed", "big")]
        table.add_row(escape(variant["name"]), *cells, count(figures["expected_macs"]["mean"]))
    return table


def ranking_tables(found: dict[str, Any]) -> list[Table]:
    """Return the archs' accuracies, rank correlations and top-k regret from ``ranking.json``."""
    ours, table = found["accuracy"], found["table"]
    littles = "littles " if found["role"] == "little" else ""
    reached = Table(f"{littles}on the {found['split']} split", box=None, header_style="bold", pad_edge=False)
    correlations = Table(f"tells the {'table' if table else 'accuracy'}", box=None, header_style="bold", pad_edge=False)
    regret = Table("top-ranked", box=None, header_style="bold", pad_edge=False)
    for headed, headings in (
        (reached, ("archs", "mean", "best")),
        (correlations, ("Kendall's tau", "95 % interval", "Spearman's rho", "archs")),
        (regret, ("best by the table", "below these archs' best", "below the table's best")),
    ):
        for heading in headings:
            headed.add_column(heading, justify="right")
    reached.add_row("from the supernet", *_reached(ours, found["archs"]))
    if table:
        reached.add_row("the table, the same archs", *_reached(table["same"], found["archs"]))
        reached.add_row("the table, all of it", *_reached(table["whole"], table["whole"]["archs"]))
    for name, row in found["agreement"].items():
        tau, rho = ("-" if row[kind] is None else f"{row[kind]:.4f}" for kind in ("kendall", "spearman"))
        interval = "{:.2f} to {:.2f}".format(*row["interval"]) if row.get("interval") else "-"
        called = "the supernet" if name == "accuracy" else words(name)
        correlations.add_row(called, tau, interval, rho, f"{row['archs']:,}")
    for row in found["regret"]:
        below = (f"{100 * row[kind]:.2f} points" for kind in ("regret", "regret_whole"))
        regret.add_row(str(row["k"]), f"{row['found']:.2%}", *below)
    return [reached, correlations, *([regret] if found["regret"] else [])]


def best_predictor(found: dict[str, Any]) -> str:
    """Compare the supernet's rank correlation with that of the best trivial predictor; empty without a table."""
    name, agreement = found.get("best_predictor"), found["agreement"]
    if name is None:
        return ""
    ours, theirs = agreement["accuracy"]["kendall"] or 0.0, agreement[name]["kendall"]
    verdict = "The supernet ranks better than" if ours > abs(theirs) else "The supernet ranks no better than"
    ceiling = found.get("noise_ceiling")
    most = ""
    if ceiling is not None:
        most = f" Asked about {found['images']:,} other images, the supernet would agree with itself by {ceiling:.3f}."
    return f"{verdict} the best trivial predictor: tau {ours:.3f}, and {theirs:.3f} for {words(name)} alone.{most}"


def _reached(accuracy: dict[str, Any], archs: int) -> tuple[str, str, str]:
    return f"{archs:,}", f"{accuracy['mean']:.2%}", f"{accuracy['best']:.2%}"


def _spread(figure: dict[str, Any]) -> str:
    deviation = "" if figure["std"] is None else f" ± {100 * figure['std']:.2f}"
    return f"{100 * figure['mean']:.2f}{deviation} %"


def words(name: str) -> str:
    """Format a name: ``peak memory`` for ``peak_memory_bytes``, ``expected MACs`` for ``expected_macs``."""
    unit = name.rpartition("_")[2]
    return name.removesuffix(f"_{unit}" if unit in UNITS else "").replace("_", " ").replace("macs", "MACs")


def amount(name: str, value: float) -> str:
    """Format a figure with its unit, which is the suffix of its name."""
    unit = name.rpartition("_")[2]
    return (f"{value / 1000:,.1f}" if unit == "bytes" else count(value)) + UNITS.get(unit, "")
