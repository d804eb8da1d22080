"""A data report as text: a table of classes and splits, then sizes, modes, skipped files and problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from duonas.core.text import listed, plural
from duonas.data.counts import Group, Part, certifies
from duonas.data.listing import Problem, Skipped
from duonas.data.modes import scaled, words

if TYPE_CHECKING:
    from duonas.data.report import DataReport

MOST = 24  # classes that are all listed; of more, the largest and the smallest
HOW = {"crop": "the centre square", "squash": "squashed to a square", "pad": "padded to a square"}
WIDTH = 40  # letters of a class name
SKIP = "--set data.on_error=skip"


def describe(report: DataReport, names: int = 3) -> str:
    """The whole report as lines.

    Args:
        report: a report.
        names: number of files to name of each problem and of each reason to skip files.
    """
    about = [*formats(report), *skipped(report.skipped, names)]
    parts = ["\n".join(lines) for lines in (counts(report), about, problems(report.problems, names))]
    return "\n\n".join(filter(None, parts))


def counts(report: DataReport) -> Iterator[str]:
    """Number of images of each class in each split, and what each split can tell; nothing without images."""
    if not report.whole.images:
        return
    columns = report.splits
    rows = [["class", *columns]]
    for at in _shown(report.whole.counts):
        if at is None:
            hidden = len(report.class_names) - MOST
            rows.append([f"... {hidden:,} more", *("" for _ in columns)])
            continue
        rows.append([_short(report.class_names[at]), *(f"{part.counts[at]:,}" for part in columns.values())])
    rows.append(["all", *(f"{part.images:,}" for part in columns.values())])
    rows.append(["largest class", *(f"{part.majority_share:.1%}" for part in columns.values())])
    rows.append(["accuracy ± points", *(_margin(name, part) for name, part in columns.items())])
    rows.append(["highest floor", *(_floor(name, part) for name, part in columns.items())])
    rows.append(["came with the data", *map(_came, columns.values())])
    yield from _aligned(rows)


def formats(report: DataReport) -> Iterator[str]:
    """Sizes and modes of all images, and what becomes of them."""
    if report.table is not None:
        yield f"table: {readable(str(report.table))}"
    elif report.root is not None:
        yield f"folder: {readable(str(report.root))}"
    total, side = report.whole.total, report.preparation.image_size
    yield f"sizes: {_sizes(total)}" if total.images else "sizes: no image can be read"
    if total.images:
        yield f"modes: {_counted({words(mode): number for mode, number in total.modes.items()})}"
        how = "" if report.squares else f" ({HOW[report.preparation.resize]})"
        few = "fewer than 1%" if report.enlarged < 0.01 else f"{report.enlarged:.0%}"
        small = f"{few} are smaller and are enlarged" if report.enlarged else ""
        made = "; ".join(filter(None, (small, scaled(report.scales, total.modes))))
        yield f"the networks see: {side} x {side} RGB{how}{made and '; '}{made}"


def skipped(files: Sequence[Skipped], names: int = 3) -> Iterator[str]:
    """Files that are not used, by reason, the most frequent first."""
    if not files:
        return
    yield f"skipped: {plural(len(files), 'file')}"
    for reason, number in Counter(each.reason for each in files).most_common():
        of_reason = tuple(each.name for each in files if each.reason == reason)
        yield f"  {number:,} {readable(reason)}: {listed(tuple(map(readable, of_reason)), names)}"


def problems(found: Iterable[Problem], names: int = 3) -> Iterator[str]:
    """A line for each problem."""
    for each in found:
        yield f"{'error' if each.error else 'warning'}: {sentence(each, names)}."


def advice(*, can_skip: bool) -> str:
    """What to do about errors, as the begin of a sentence."""
    return f"Fix them, or leave the files out with {SKIP}" if can_skip else "This must be put right first"


def sentence(problem: Problem, shown: int = 3) -> str:
    """A problem with the first names that it concerns, without a full stop."""
    text = readable(problem.message).rstrip(". ")
    return f"{text}: {listed(tuple(map(readable, problem.names)), shown)}" if problem.names else text


def readable(text: str) -> str:
    r"""Text that can be written as UTF-8: bytes of file names that are none become ``\udc..``."""
    return text.encode("utf-8", "backslashreplace").decode()


def _shown(counts: Sequence[int]) -> Iterator[int | None]:
    """Indices of the classes to list; ``None`` stands for those between the largest and the smallest."""
    if len(counts) <= MOST:
        yield from range(len(counts))
        return
    falling = sorted(range(len(counts)), key=lambda at: -counts[at])
    yield from falling[: MOST // 2]
    yield None
    yield from falling[len(falling) - MOST // 2 :]


def _came(part: Part) -> str:
    """Whether a split came with the data, or else what it was drawn from."""
    if part.own:
        return "yes"
    return f"from {part.origin}" if part.origin else "no"


def _margin(name: str, part: Part) -> str:
    return "" if name == "train" else f"{100 * certifies(name, part.images)['margin']:.1f}"


def _floor(name: str, part: Part) -> str:
    return f"{certifies(name, part.images)['highest_floor']:.1%}" if name == "calib" else ""


def _sizes(group: Group) -> str:
    sizes = {f"{width} x {height}": number for (width, height), number in group.sizes.items()}
    if group.different_sizes <= 3 or group.smallest is None or group.largest is None:
        return _counted(sizes)
    ends = " to ".join(f"{width} x {height}" for width, height in (group.smallest, group.largest))
    common = next(iter(sizes))
    return f"{ends}, {group.different_sizes:,} different ones, most often {common} ({sizes[common]:,})"


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in numbers.items())


def _short(name: str) -> str:
    name = readable(name)
    return name if len(name) <= WIDTH else f"{name[: WIDTH - 1]}…"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
