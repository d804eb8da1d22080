"""A run as an object: its results as tables, pictures, networks and plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duonas.api.plot import Plot
from duonas.api.progress import watching
from duonas.api.table import Row, Table
from duonas.api.text import as_text
from duonas.cli.explain import explain
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import as_path, read_json, reading
from duonas.core.parquet import read_table
from duonas.core.progress import StageProgress
from duonas.measure.verdict import verdict_of
from duonas.recipe.schema import Recipe
from duonas.rundir.folder import RunFolder
from duonas.rundir.stages import STAGES
from duonas.runtime.units import written_count as count

if TYPE_CHECKING:
    from duonas.data.splits import Splits
    from duonas.pair.pair import Pair
    from duonas.runtime import Bundle
    from duonas.supernet.family import Family

PLOTS = ("tradeoff", "front")
WIDTH = 100  # characters of a line of explanations


class _NothingToDraw(DuonasError):
    """There is no plot, since the pair was chosen without accuracies."""


class Run(PathLike[str]):
    """The results of a run. It is also the path of its folder: ``run / "export"``, ``open(run / "report.html")``.

    Everything is read from the folder when it is asked for, so a run that goes on elsewhere shows its newest results.

    Args:
        folder: the folder of a run, finished or not.

    Raises:
        DuonasError: the folder is not a run. A result that does not exist yet raises one that says how to get it.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self._files = RunFolder(as_path(folder, "a run's folder"))

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self._files.folder

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run, every default written out."""
        return RunFolder(self.folder).recipe

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the finished stages, in order."""
        records = self._files.stages
        return tuple(name for name in STAGES if name in records and not records[name].get("stale"))

    @property
    def measure(self) -> dict[str, Any]:
        """The content of ``measure.json``, on the test split: accuracies and shares in [0, 1], latencies in ms."""
        found: dict[str, Any] = read_json(self._needed(self._files.measure, "measure"))
        return found

    @property
    def verdict(self) -> dict[str, Any]:
        """Whether routing pays, on the test split: ``pays``, what to ``use``, ``sentence``, ``reason``, ``next``."""
        measured = self.measure
        with reading(self._files.measure):
            return verdict_of(measured)

    @property
    def front(self) -> Table:
        """The pairs on the front of the search, on the val split, by rising expected cost.

        ``chosen`` marks the pair that was taken; the values of the axes are columns such as ``little.stage1.depth``.
        """
        path = self._needed(self._files.front, "search")
        found = read_json(path)
        with reading(path):
            return Table(_point(point, number == found["chosen"]) for number, point in enumerate(found["points"]))

    @property
    def archs(self) -> Table:
        """The archs that the search evaluated or ranked: role, figures on the val split, and a column for each axis."""
        return self._with_values(self._files.archs, {"values": ""})

    @property
    def trials(self) -> Table:
        """The pairs that the search tried, in order: figures on the val split, and the values of the axes."""
        return self._with_values(self._files.trials, {"little_values": "little.", "big_values": "big."})

    @property
    def pair(self) -> Pair:
        """The pair as a ``torch.nn.Module``, on the CPU and in eval mode; loaded anew at each access."""
        from duonas.pair.pair import Pair

        self._needed(self._files.pair / "pair.json", "pair" if self.recipe.finetune.mode == "none" else "finetune")
        return Pair.load(self._files.pair)

    @property
    def deployed(self) -> Pair:
        """The pair that is exported: in fp16 or int8, where ``[export] precision`` is not fp32, else as in ``pair``."""
        from duonas.pair.pair import Pair

        if not self.recipe.export.converts:
            return self.pair
        self._needed(self._files.quantized / "pair.json", "quantize")
        return Pair.load(self._files.quantized)

    @property
    def bundle(self) -> Bundle:
        """The exported pair, ready to classify images; opened anew at each access."""
        from duonas.runtime import Bundle, BundleError

        self._needed(self._files.export / "dynamic.onnx", "export")
        try:
            return Bundle.load(self._files.export)
        except BundleError as error:
            raise DuonasError(str(error)) from error

    @property
    def data(self) -> dict[str, Any]:
        """The content of ``data.json``: counts of the images by split and class, what was skipped, copies, problems."""
        found: dict[str, Any] = read_json(self._needed(self._files.data, "train"))
        return found

    @property
    def report(self) -> Path:
        """The page of the report, for a browser."""
        return self._needed(self._files.report, "report")

    def explain(self) -> str:
        """The threshold in plain words: what it does, how it was chosen, what it promises and how to change it."""
        return as_text(*explain(self.folder), width=WIDTH)

    def plot(self, what: str | None = None) -> Plot:
        """A chart that notebooks show, and that ``.save("plot.html")`` writes; SVG and PNG need the extra ``figures``.

        Args:
            what: ``"tradeoff"``, accuracy against expected MACs at every threshold on the test split, or ``"front"``,
                the front of the search on the val split; default: the trade-off, or the front before the measurement.

        Raises:
            DuonasError: there is no such plot, or the run has no results for it yet.
        """
        if what is not None and what not in PLOTS:
            raise DuonasError(f"there is no plot {what!r}: {nearest(str(what), PLOTS)}.")
        from duonas.report.figures.search import front as front_figure  # these load Altair
        from duonas.report.figures.tradeoff import tradeoff
        from duonas.report.files import read_run

        if what == "tradeoff" or (what is None and self._files.measure.is_file()):
            with reading(self._needed(self._files.measure, "measure")):
                return Plot(tradeoff(read_run(self.folder)))
        front = self._needed(self._files.front, "search")
        with reading(front):
            figure = front_figure(read_json(front), self._rows(self._files.trials))
        if figure is None:
            raise _NothingToDraw(f"{self.folder} has no front to draw: its pair was chosen without accuracies.")
        return Plot(figure)

    def rechoose(self, *, progress: StageProgress | bool | None = None, **target: float | str) -> Run:
        """Choose another threshold, as in ``run.rechoose(floor="90%")``; see ``duonas.rechoose``."""
        return rechoose(self.folder, progress=progress, **target)

    def __fspath__(self) -> str:
        return fspath(self.folder)

    def __truediv__(self, name: str | PathLike[str]) -> Path:
        return self.folder / name

    def __str__(self) -> str:
        return str(self.folder)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.folder.resolve() == other.folder.resolve()

    def __hash__(self) -> int:
        return hash(self.folder.resolve())

    def __repr__(self) -> str:
        return "\n  ".join([f"Run({str(self.folder)!r})", *self._summary()])

    def _repr_html_(self) -> str:
        lines = "<br>".join(map(escape, self._summary()))
        return f"<p><b>{escape(str(self.folder))}</b><br>{lines}</p>{self._picture()}"

    def _picture(self) -> str:
        """The plot in HTML, if there is one yet."""
        try:
            return self.plot()._repr_html_() if "search" in self.stages else ""
        except _NothingToDraw:
            return ""

    def _summary(self) -> list[str]:
        recipe, done = self.recipe, self.stages
        lines = [
            recipe.summary,
            f"finished: {', '.join(done) or 'nothing yet'}",
        ]
        return [*lines, *self._figures()] if "measure" in done else lines

    def _figures(self) -> list[str]:
        """A line for each network and the pair; of a damaged file that, since a repr must not fail."""
        try:
            with reading(self._files.measure):
                measured = self.measure
                lines = [_line(role, measured[role]) for role in ("little", "big", "routed")]
                return [*lines, verdict_of(measured)["sentence"]]
        except DuonasError as error:
            return [str(error)]

    def _needed(self, path: Path, stage: str) -> Path:
        """``path``, if it exists; ``stage`` writes it."""
        if not path.exists():
            raise DuonasError(
                f"{self.folder} has no {path.name} yet, which stage {stage!r} writes: go on with the run first, by "
                f"`duonas run {self.folder}` or duonas.run(run.recipe, run)."
            )
        return path

    def _with_values(self, path: Path, values: Mapping[str, str]) -> Table:
        """The table of a Parquet file with a column for each axis, see ``_spread``."""
        with reading(path):
            return Table(_spread(row, values) for row in self._rows(path))

    def _rows(self, path: Path) -> list[Row]:
        rows: list[Row] = read_table(self._needed(path, "search")).to_pylist()
        return rows


def run(
    recipe: Recipe,
    folder: str | PathLike[str],
    *,
    until: str = "report",
    supernet: str | PathLike[str] | None = None,
    progress: StageProgress | bool | None = None,
    family: type[Family] | None = None,
    splits: Splits | None = None,
) -> Run:
    """Run every unfinished stage up to ``until``, and return the run.

    Args:
        recipe: the recipe; see ``load_recipe``.
        folder: the folder of the run; created, or resumed if it has the same recipe.
        until: the last stage to run.
        supernet: another run whose trained supernet is used instead of training one.
        progress: true or false, or a ``StageProgress`` of your own; by default progress is shown in a terminal and in a
            notebook.
        family: kind of network, if not the recipe's.
        splits: the recipe's images, if they are loaded already.

    Raises:
        DuonasError: the recipe, the data or the folder cannot be used.
    """
    from duonas.pipeline import stages

    shown, reused = watching(progress), None if supernet is None else as_path(supernet, "supernet")
    stages.run(
        recipe,
        as_path(folder, "a run's folder"),
        until=until,
        supernet=reused,
        progress=shown,
        family=family,
        splits=splits,
    )
    return Run(folder)


def rechoose(
    folder: str | PathLike[str], *, progress: StageProgress | bool | None = None, **target: float | str
) -> Run:
    """Choose another threshold for a run's pair, without training, and update recipe, policy and export.

    Stages after the export become outdated; ``duonas report RUN`` repeats them. If the target cannot be met, nothing
    changes. An interrupted call is resumed by the same call or by ``run``.

    Args:
        folder: a run with a finished pair.
        progress: as in ``run``.
        target: one of ``floor``, ``budget`` (MACs), ``share``, ``latency`` (ms) and ``energy`` (mJ, with ``watts``), as
            in ``[route]``; optionally ``confidence``. Numbers, or texts with units: ``latency="2ms"``.

    Raises:
        DuonasError: the folder is not a run with a pair, or there is not exactly one target that can be met.
    """
    from duonas.pipeline.rechoose import rechoose as choose

    choose(as_path(folder, "a run's folder"), progress=watching(progress), **target)
    return Run(folder)


def _line(role: str, figures: Mapping[str, Any]) -> str:
    macs = figures["expected_macs"] if role == "routed" else figures["macs"]
    share = f", {figures['little_share']:.1%} of the images stay little" if role == "routed" else ""
    return f"{role:<6} {figures['accuracy']:.2%} on the test split, {count(macs)} MACs{share}"


def _point(point: Mapping[str, Any], chosen: bool) -> Row:
    figures = {name: value for name, value in point.items() if name not in ("pair", "values")}
    roles = {role: point["values"][role] for role in ("little", "big")}
    axes = {f"{role}.{axis}": value for role, values in roles.items() for axis, value in values.items()}
    tau = None if point["tau"] is None else float(point["tau"])  # not known where the share is assumed
    return {"chosen": chosen} | figures | {"tau": tau, "split": point["pair"]["split"]} | axes


def _spread(row: Row, values: Mapping[str, str]) -> Row:
    """A row with a column for each axis, in place of columns that hold the values of all axes in JSON.

    Args:
        row: of a Parquet file.
        values: names of the columns of values, with the beginnings of the new columns' names.
    """
    kept = {name: value for name, value in row.items() if name not in (*values, "choices")}
    axes = {}
    for column, start in values.items():
        for axis, value in json.loads(row.get(column) or "{}").items():
            axes[axis if not start and axis not in kept else f"{start or 'values.'}{axis}"] = value
    return kept | axes
