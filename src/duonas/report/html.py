"""The report of a run: figures and words put into its template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import write_text
from duonas.report import examples, provenance, summary
from duonas.report.figure import Figure
from duonas.report.figures.blocks import architectures
from duonas.report.figures.calibration import calibration
from duonas.report.figures.cells import cell_texts, cells, learned
from duonas.report.figures.classes import per_class
from duonas.report.figures.difficulty import difficulty
from duonas.report.figures.ranking import differences, distribution, ranked, scatter
from duonas.report.figures.scores import histogram
from duonas.report.figures.search import front
from duonas.report.figures.sensitivity import sensitivity
from duonas.report.figures.timing import finetuning, latency, training
from duonas.report.figures.tradeoff import tradeoff
from duonas.report.files import WRITTEN_BY, RunFiles, read_run
from duonas.report.page import render_page
from duonas.report.words import whole
from duonas.routing.threshold import doubt

OUTPUTS, PAIR, POLICY = "test_outputs.safetensors", "pair/pair.json", "pair/policy.json"
BETA = "beta.json"
RANKINGS = {"Ranking": "ranking", "Ranking of littles": "ranking/little"}  # folders


@dataclass(frozen=True)
class Part:
    """What a section shows, or which files it would need."""

    value: Any = None
    missing: str = ""


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` from the files of a run directory, and from nothing else.

    Raises:
        DuonasError: the run was not measured yet, or a file is damaged; nothing is written then.
    """
    run = read_run(run_folder)
    return write_text(run_folder / "report.html", render(run))


def render(run: RunFiles) -> str:
    """The whole page as text."""
    measured = run.measure
    try:
        return render_page(
            "report.html.j2", run.folder.resolve().name,
            headline=summary.headline(measured), tiles=summary.tiles(measured),
            test_images=whole(measured["test_images"]),
            routing=summary.routing(measured), decisions=summary.decisions(measured),
            latency_table=summary.latency_table(measured), ideal=summary.ideal(measured),
            overhead=summary.overhead(measured), **_parts(run),
        )  # fmt: skip
    except KeyError as error:
        raise _lacking("measure.json", error) from error


def _parts(run: RunFiles) -> dict[str, Part]:
    """Every part of the page that needs more than measure.json."""
    outputs: Any = run.outputs
    pair, policy, found = run[PAIR], run[POLICY], run["front.json"]

    def part(build: Callable[[], Any], *names: str) -> Part:
        return _part(run, build, names)

    return {
        "certainty": part(lambda: summary.certainty(outputs), OUTPUTS),
        "tradeoff": part(lambda: tradeoff(run, outputs, run.cost), OUTPUTS, PAIR),  # type: ignore[arg-type]
        "price": part(lambda: summary.price(run.cost), PAIR),  # type: ignore[arg-type]
        "baselines": part(lambda: summary.baseline_table(run["baselines.json"]), "baselines.json"),
        "front": part(lambda: front(found, run["trials.parquet"]), "front.json"),
        "histogram": part(lambda: histogram(run, outputs), OUTPUTS),
        "outcomes": part(lambda: summary.outcomes(outputs), OUTPUTS),
        "difficulty": part(lambda: difficulty(outputs), OUTPUTS),
        "classes": part(lambda: per_class(run, outputs, float(policy["little_temperature"])), OUTPUTS, POLICY),
        "calibration": part(lambda: _calibrations(outputs, policy), OUTPUTS, POLICY),
        "doubt": part(lambda: doubt(policy["images"]), POLICY),
        "sensitivity": part(lambda: sensitivity(run, outputs, run.cost), OUTPUTS, PAIR),  # type: ignore[arg-type]
        "examples": part(lambda: examples.groups(run, run["examples.json"]), "examples.json"),
        "cells": part(lambda: cells(pair), PAIR),
        "cell_texts": part(lambda: cell_texts(pair), PAIR),
        "learned": part(lambda: learned(_preferences(run)), BETA),
        "prefers_table": part(lambda: summary.prefers_table(_preferences(run)), BETA),
        "rankings": part(lambda: list(_rankings(run))),
        "blocks": part(lambda: architectures(pair), PAIR),
        "origin": part(lambda: summary.origin(pair), PAIR),
        "pair_table": part(lambda: summary.pair_table(pair), PAIR),
        "latency": part(lambda: latency(run.measure)),
        "trained": part(lambda: summary.trained(run["recipe.toml"]), "recipe.toml"),
        "training": part(lambda: training(run["log.jsonl"]), "log.jsonl"),
        "finetuning": part(lambda: finetuning(run["log.jsonl"]), "log.jsonl"),
        "tables": part(lambda: provenance.tables(run)),
        "recipe": part(lambda: run["recipe.toml"], "recipe.toml"),
    }


def _preferences(run: RunFiles) -> dict[str, dict[str, float]]:
    """What ``beta.json`` holds: axis to value to probability.

    Raises:
        DuonasError: it holds something else.
    """
    try:
        return {axis: {value: float(share) for value, share in row.items()} for axis, row in run[BETA].items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise DuonasError(
            f"{run.folder / BETA} is damaged: expected the probabilities of each axis' values."
        ) from error


@dataclass(frozen=True)
class Ranking:
    """What a section of ranked archs shows."""

    title: str
    intro: str
    distribution: Figure
    archs: list[Figure]
    reached: list[list[str]]
    agreement: list[list[str]]
    regret: list[list[str]]


def _rankings(run: RunFiles) -> Iterator[Ranking]:
    for title, folder in RANKINGS.items():
        files = f"{folder}/ranking.json", f"{folder}/archs.parquet"
        found = _part(run, partial(_ranking, run, title, *files), files).value
        if found is not None:
            yield found


def _ranking(run: RunFiles, title: str, figures: str, archs: str) -> Ranking:
    found = run[figures]
    rows = ranked(run[archs], found)
    beside = [scatter(rows, found), differences(rows)]
    return Ranking(
        title, summary.ranking(found), distribution(rows), [figure for figure in beside if figure],
        summary.reached_table(found), summary.agreement_table(found), summary.regret_table(found),
    )  # fmt: skip


def _calibrations(outputs: Any, policy: dict[str, Any]) -> list[Figure]:
    temperatures = {"little": policy["little_temperature"], "big": policy["big_temperature"]}
    return [calibration(role, outputs, float(value)) for role, value in temperatures.items()]


def _part(run: RunFiles, build: Callable[[], Any], names: tuple[str, ...]) -> Part:
    absent = [name for name in names if run[name] is None]
    if absent:
        told = " and ".join(f"{name} (the {WRITTEN_BY[name]} stage writes it)" for name in absent)
        return Part(missing=f"Not shown: the run has no {told}.")
    try:
        return Part(build())
    except KeyError as error:
        raise _lacking(" or ".join(names) or "measure.json", error) from error


def _lacking(names: str, error: KeyError) -> DuonasError:
    return DuonasError(
        f"the report cannot be written: {names} lacks {error.args[0]!r}; was it written by another version?"
    )
