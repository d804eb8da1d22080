"""The sections of the report about ranked archs: one for bigs, one for littles, where they were ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from duonas.report.figure import Figure
from duonas.report.figures.ranking import differences, distribution, ranked, scatter
from duonas.report.files import Row
from duonas.report.formatting import coefficient, percent, points_apart, whole
from duonas.report.table import Table


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    title: str
    intro: str
    distribution: Figure
    archs: list[Figure]
    tables: list[Table]


def section(title: str, found: dict[str, Any], archs: list[Row]) -> Section:
    """The section for the content of ``ranking.json`` and ``archs.parquet``."""
    rows = ranked(archs, found)
    beside = [drawn for drawn in (scatter(rows, found), differences(rows)) if drawn]
    tables = [_accuracies(found), _agreement(found), *([_regret(found)] if found["regret"] else ())]
    return Section(title, _intro(found), distribution(rows), beside, tables)


def _intro(found: dict[str, Any]) -> str:
    """What was ranked, and against what."""
    drawn = "All" if found["archs"] == found["space_archs"] else whole(found["archs"])
    table, split_after = found["table"], found.get("branches_off_after", 0)  # older runs ranked bigs alone
    where = f" that branch off after stage {split_after}" if split_after else ""
    littles = f" as littles{where}," if found.get("role") == "little" else ""
    against = f" Accuracies from scratch are column {table['column']} of {table['file']}." if table else ""
    best = found.get("best_predictor")
    if best:
        ours, theirs = (found["agreement"][name]["kendall"] for name in ("accuracy", best))
        better = "better" if (ours or 0.0) > abs(theirs) else "no better"
        against += f" The supernet ranks {better} than the best trivial predictor, which is {best}."
    return (
        f"{drawn} of the {whole(found['space_archs'])} archs,{littles} evaluated with the weights of the supernet: "
        f"batch norms are recalibrated on {whole(found['recalibration_images'])} training images, accuracies "
        f"are those on the {whole(found['images'])} images of the {found['split']} split.{against}"
    )


def _accuracies(found: dict[str, Any]) -> Table:
    rows = [("from the supernet", found["archs"], found["accuracy"])]
    if table := found["table"]:
        rows.append(("from scratch, the same archs", found["archs"], table["same"]))
        rows.append(("from scratch, the whole table", table["whole"]["archs"], table["whole"]))
    cells = [(name, whole(archs), percent(row["mean"], 2), percent(row["best"], 2)) for name, archs, row in rows]
    return Table(("Accuracy", "Archs", "Mean", "Best"), cells)


def _agreement(found: dict[str, Any]) -> Table:
    names = {
        "accuracy": "accuracy from the supernet", "params": "number of params alone", "macs": "MACs alone",
        "layers": "number of layers alone",
    }  # fmt: skip
    first = "Rank correlation with the table" if found["regret"] else "Rank correlation with the accuracy"
    rows = [
        (
            names.get(name, f"{name} alone"),
            coefficient(row["kendall"]),
            coefficient(row["spearman"]),
            whole(row["archs"]),
        )
        for name, row in found["agreement"].items()
    ]
    return Table((first, "Kendall's τ", "Spearman's ρ", "Archs"), rows)


def _regret(found: dict[str, Any]) -> Table:
    """How far the best of the k top-ranked archs is below the best of these archs and below the table's best."""
    rows = [
        (str(row["k"]), percent(row["found"], 2), points_apart(row["regret"], 2), points_apart(row["regret_whole"], 2))
        for row in found["regret"]
    ]
    head = (
        "Top-ranked archs",
        "Best of them in the table",
        "Below the best of these archs",
        "Below the best of the table",
    )
    return Table(head, rows)
