"""The report of a run: figures, tables and sentences put into its template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import write_text
from duonas.measure.renewed import renewed_in_words
from duonas.report import examples, given, provenance, ranking, summary, sustained, tables
from duonas.report.data import data
from duonas.report.export import save_figures
from duonas.report.figure import Drawing, Figure
from duonas.report.figures.blocks import architectures
from duonas.report.figures.calibration import calibrations
from duonas.report.figures.cells import cells, learned
from duonas.report.figures.choices import choices
from duonas.report.figures.classes import per_class
from duonas.report.figures.confidence import confidences
from duonas.report.figures.difficulty import difficulty
from duonas.report.figures.early_exits import early_exits
from duonas.report.figures.latency import latency
from duonas.report.figures.losses import finetuning, training
from duonas.report.figures.scores import histogram
from duonas.report.figures.search import front, reached
from duonas.report.figures.sensitivity import sensitivity
from duonas.report.figures.sharing import sharing
from duonas.report.figures.tradeoff import tradeoff
from duonas.report.files import WRITTEN_BY, RunFiles, read_run
from duonas.report.page import render_page
from duonas.report.precision import precision
from duonas.routing.threshold import sample_size_warning

OUTPUTS, PAIR, POLICY = "test_outputs.safetensors", "pair/pair.json", "pair/policy.json"
BETA, LOG, RECIPE = "beta.json", "log.jsonl", "recipe.toml"

Build = Callable[[RunFiles], Any]


def _latency(run: RunFiles) -> Figure:
    known = run[OUTPUTS] is not None and run[PAIR] is not None
    return latency(run.measure, run.thresholds if known else None)


# What the template shows: how it is made, and which files that needs besides measure.json.
PARTS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "summary": (lambda run: summary.summary(run.measure), ()),
    "slider": (lambda run: run.thresholds.slider(), (OUTPUTS, PAIR)),
    "verdict": (lambda run: tables.verdict(run.measure), ()),
    "certainty": (lambda run: summary.certainty(run.outputs), (OUTPUTS,)),
    "guessing": (lambda run: summary.guessing(run.outputs, run.class_names, run[RECIPE]), (OUTPUTS,)),
    "tradeoff": (tradeoff, (OUTPUTS, PAIR)),
    "baselines": (lambda run: tables.baselines(run["baselines.json"]), ("baselines.json",)),
    "early_exits": (early_exits, ("baselines.json", OUTPUTS, PAIR)),
    "searched": (lambda run: summary.searched(run["front.json"], run["narrow.json"]), ("front.json",)),
    "front": (lambda run: front(run["front.json"], run["trials.parquet"]), ("front.json",)),
    "reached": (lambda run: reached(run["front.json"]), ("front.json",)),
    "choices": (lambda run: choices(run["front.json"]), ("front.json",)),
    "histogram": (histogram, (OUTPUTS, PAIR)),
    "outcomes": (lambda run: tables.outcomes(run.outputs), (OUTPUTS,)),
    "difficulty": (difficulty, (OUTPUTS, PAIR)),
    "class_balance": (lambda run: tables.class_balance(run.outputs, run.class_names), (OUTPUTS,)),
    "classes": (per_class, (OUTPUTS, PAIR, POLICY)),
    "calibration": (calibrations, (OUTPUTS, PAIR, POLICY)),
    "confidences": (confidences, (OUTPUTS, POLICY)),
    "promise": (lambda run: summary.promise(run[POLICY], run.measure), (POLICY,)),
    "unkept": (lambda run: summary.unkept(run[POLICY], run.measure), (POLICY,)),
    "warning": (lambda run: sample_size_warning(run[POLICY]["images"]), (POLICY,)),
    "sensitivity": (sensitivity, (OUTPUTS, PAIR)),
    "examples": (lambda run: examples.groups(run, run["examples.json"]), ("examples.json",)),
    "price": (lambda run: summary.price(run.cost), (PAIR,)),
    "origin": (lambda run: summary.origin(run[PAIR]), (PAIR,)),
    "candidates": (lambda run: given.candidates(run["given.json"], run["archs.parquet"]), ("given.json",)),
    "given_pairs": (lambda run: given.pairs(run["trials.parquet"]), ("given.json", "trials.parquet")),
    "cells": (lambda run: cells(run[PAIR]), (PAIR,)),
    "cell_table": (lambda run: tables.cells(run[PAIR]), (PAIR,)),
    "learned": (lambda run: learned(run.preferences), (BETA,)),
    "preferences": (lambda run: tables.preferences(run.preferences), (BETA,)),
    "blocks": (lambda run: architectures(run[PAIR]) if run[PAIR]["blocks"] else None, (PAIR,)),
    "sharing": (sharing, (PAIR,)),
    "networks": (lambda run: tables.networks(run[PAIR]), (PAIR,)),
    "data": (lambda run: data(run["data.json"]), ("data.json",)),
    "latency": (_latency, ()),
    "latencies": (lambda run: tables.latencies(run.measure), ()),
    "precision": (lambda run: precision(run["quantized.json"], run.measure), ("quantized.json",)),
    "trained": (lambda run: summary.trained(run[RECIPE]), (RECIPE,)),
    "training": (lambda run: _training(run), (RECIPE,)),
    "finetuning": (lambda run: finetuning(run[LOG]), (LOG,)),
    "plan": (lambda run: tables.plan(run["plan.json"]), ("plan.json",)),
    "renewed": (lambda run: renewed_in_words(run["finetuned.json"]), ("finetuned.json",)),
    "provenance": (provenance.sheets, ()),
    "recipe": (lambda run: run[RECIPE], (RECIPE,)),
}
RANKINGS = {"Ranking": "ranking", "Ranking of littles": "ranking/little"}  # titles and folders


@dataclass(frozen=True)
class Part:
    """A part of the page, or a sentence that says which files it would need."""

    value: Any = None
    missing: str = ""


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` from the files of a run directory, and from nothing else.

    Raises:
        DuonasError: the run was not measured yet, or a file is damaged; nothing is written then.
    """
    return write_text(run_folder / "report.html", render(read_run(run_folder)))


def write_figures(run_folder: Path, into: Path) -> list[Path]:
    """Write every figure of the report as SVG and PNG files, named after their place in it, and return their paths.

    Raises:
        DuonasError: as ``write_report``, or the extra ``figures`` is not installed.
    """
    run = read_run(run_folder)
    found: dict[str, Any] = {name: part_of(run, name).value for name in PARTS}
    for title, folder in RANKINGS.items():
        ranked = _ranking(run, title, folder).value
        found[folder.replace("/", "-of-")] = [ranked.distribution, *ranked.archs] if ranked else None
    found |= {device.id: device.figures for device in _devices(run)}
    figures: dict[str, Figure | Drawing] = {}
    for name, value in found.items():
        each = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Figure | Drawing)]
        figures |= {name if len(each) == 1 else f"{name}-{number}": one for number, one in enumerate(each, 1)}
    return save_figures(figures, into)


def render(run: RunFiles) -> str:
    """The whole page as text."""
    parts = {name: part_of(run, name) for name in PARTS}
    rankings = [_ranking(run, title, folder).value for title, folder in RANKINGS.items()]
    return render_page(
        "report.html.j2", run.folder.resolve().name, rankings=list(filter(None, rankings)), devices=_devices(run),
        **parts, **parts.pop("summary").value,
    )  # fmt: skip


def part_of(run: RunFiles, name: str) -> Part:
    """A part of the page by its name in ``PARTS``."""
    build, files = PARTS[name]
    return _part(run, build, files)


def _training(run: RunFiles) -> Part:
    """The curves of the supernet; there are none where it was not trained."""
    if not summary.trains_supernet(run[RECIPE]):
        return Part()
    found = _part(run, lambda run: training(run[LOG]), (LOG,))
    return found if found.value or found.missing else Part(missing="Not shown: log.jsonl has no training steps.")


def _ranking(run: RunFiles, title: str, folder: str) -> Part:
    found, archs = f"{folder}/ranking.json", f"{folder}/archs.parquet"
    return _part(run, lambda run: ranking.section(title, run[found], run[archs]), (found, archs))


def _devices(run: RunFiles) -> list[sustained.Section]:
    return sustained.sections(run.devices, run.measure)


def _part(run: RunFiles, build: Build, files: tuple[str, ...]) -> Part:
    if absent := [name for name in files if run[name] is None]:
        names = " and ".join(f"{name} (the {WRITTEN_BY[name]} stage writes it)" for name in absent)
        return Part(missing=f"Not shown: the run has no {names}.")
    try:
        value = build(run)
    except KeyError as error:
        raise DuonasError(
            f"the report cannot be written: {' or '.join(files) or 'measure.json'} lacks {error.args[0]!r}; "
            "was it written by another version?"
        ) from error
    return value if isinstance(value, Part) else Part(value)
