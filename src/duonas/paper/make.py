"""Runs what a table or figure lacks, and draws it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from duonas.core.progress import Silent, StageProgress
from duonas.core.text import plural
from duonas.paper.drawing import Drawn
from duonas.paper.element import Element, Part, elements_of, load_element
from duonas.paper.runs import Finished
from duonas.paper.write import Written, write
from duonas.pipeline.compare import check_study, compare
from duonas.recipe.study import Study, load_study

Studies = Mapping[str, Study]


def make(
    element: Element,
    folder: Path,
    overrides: Iterable[str] = (),
    *,
    only: Sequence[str] = (),
    run: bool = True,
    progress: StageProgress | None = None,
) -> tuple[list[tuple[Part, Drawn]], Written]:
    """Run the studies of a table or figure as far as they are not finished, draw it, and write its files.

    Args:
        element: the table or figure.
        folder: the runs of study ``mine.toml`` are in its folder ``mine``; the files that are written lie beside.
        overrides: ``"table.key=value"`` for the recipe of every run.
        only: the names of the studies to run; by default all.
        run: whether anything is run, or what is finished is drawn alone.
        progress: silent by default.

    Returns:
        What each part shows, and the files.

    Raises:
        DuonasError: a study cannot be run, before the first run of any of them begins; or a run fails.
    """
    watch, overrides = progress or Silent(), tuple(overrides)
    studies = element.studies(overrides)
    for part in element.parts:
        if part.drawing is not None:
            part.drawing.check({name: Finished(studies[name], []) for name in part.studies})
    wanted = element.needed(studies, only).values()
    if run:
        for study in wanted:
            check_study(study, folder / study.name, watch)
        for study in wanted:
            compare(study, folder / study.name, watch)
    done = finished(studies, folder)
    shown = [(part, _draw(part, done)) for part in element.parts]
    return shown, write(element, shown, folder)


def finished(studies: Studies, folder: Path) -> dict[str, Finished]:
    """Return each study with its finished runs.

    Raises:
        DuonasError: the files of a run were changed since.
    """
    return {name: Finished.of(study, folder / study.name) for name, study in studies.items()}


def _draw(part: Part, done: Mapping[str, Finished]) -> Drawn:
    if part.drawing is None:
        return Drawn()
    return part.drawing.draw({name: done[name].only(part.drawing.wanted(done[name].study)) for name in part.studies})


def overview(elements: Path, folder: Path, overrides: Iterable[str] = ()) -> list[tuple[Element, str]]:
    """Return all tables and figures of a folder, each with what is done of its runs, in words.

    Args:
        elements: the folder of their files.
        folder: of the runs.
        overrides: as the runs were made with.
    """
    overrides, rows = tuple(overrides), []
    known: dict[Path, Finished] = {}  # several elements are drawn from the same studies
    for path in elements_of(elements):
        element = load_element(path)
        for file in element.files.values():
            if file not in known:
                study = load_study(file, overrides)
                known[file] = Finished.of(study, folder / study.name)
        done = {name: known[file] for name, file in element.files.items()}
        needed = element.needed({name: each.study for name, each in done.items()})
        rows.append((element, state(element, [done[name].only(study) for name, study in needed.items()])))
    return rows


def state(element: Element, done: Sequence[Finished]) -> str:
    """What is done of a table or figure, in words."""
    if all(part.drawing is None for part in element.parts):
        return "cannot be made yet"
    wanted = sum(each.wanted for each in done)
    if not wanted:
        return "needs no runs"
    ready = sum(len(each.runs) for each in done)
    return f"all {plural(wanted, 'run')}" if ready == wanted else f"{ready} of {plural(wanted, 'run')}"
