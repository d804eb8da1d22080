"""Who evaluates the archs of a search: this process, others of this machine, or a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from duonas.pipeline.context import Context
from duonas.search.cluster import Cluster, check_cluster
from duonas.search.scores import Evaluates
from duonas.search.workers import Ahead, Processes, Workers


def check_workers(context: Context) -> None:
    """Check that the cluster of a recipe is there, and warn of workers that would wait for each other.

    Raises:
        DuonasError: there is no such cluster.
    """
    options, threads = context.recipe.search, torch.get_num_threads()
    if not _has_workers(context) or context.run.is_done("search"):
        return
    if options.ray is not None:
        check_cluster(options.ray)
    elif options.workers * threads > max(os.cpu_count() or 1, threads):
        context.warn(
            f"[search] workers = {options.workers} with {threads} threads each keep each other waiting on "
            f"{os.cpu_count()} cores: threads = {max(1, (os.cpu_count() or 1) // options.workers)} is faster."
        )


@contextmanager
def evaluating(context: Context) -> Iterator[Evaluates]:
    """The evaluator of a search, with its workers, which end with this context.

    Raises:
        DuonasError: the recipe names a cluster that is not there.
    """
    if not _has_workers(context):
        yield context.evaluator
        return
    workers = _workers(context)
    try:
        yield Ahead(context.evaluator, workers)
    finally:
        workers.close()


def _has_workers(context: Context) -> bool:
    """Whether others evaluate archs; networks that are given are few, and evaluated here."""
    recipe = context.recipe
    return not recipe.is_given and (recipe.search.workers > 1 or recipe.search.ray is not None)


def _workers(context: Context) -> Workers:
    options = context.recipe.search
    if options.ray is not None:
        return Cluster(context.evaluator, options.ray, context.warn)
    return Processes(context.evaluator, options.workers, context.warn)
