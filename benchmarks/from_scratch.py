"""Train cells one by one, as a run trains its supernet, and write a table that `duonas rank` can hold it against.

    python benchmarks/from_scratch.py RUN --archs 16 --out scratch.parquet
    duonas rank RUN --archs scratch.txt --table scratch.parquet --column accuracy

The archs are drawn as `duonas rank` draws them; each starts from fresh weights and learns from labels alone, for as
many epochs, with the same images, splits, optimiser and schedule as the run, and is judged on the same val images after
its batch norms were measured in the same way. What is trained is kept: the same command goes on. ``--out`` gets the
table, and beside it a ``.txt`` with the cells.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pyarrow
import torch
from pyarrow import parquet

from duonas.core.pair import Subnet
from duonas.core.rng import stream
from duonas.layers.init import initialise
from duonas.pipeline.context import Context
from duonas.pipeline.fitting import Fitting, fit
from duonas.ranking.archs import chosen_archs
from duonas.rundir.folder import RunFolder
from duonas.supernet.options import WeightsOptions
from duonas.supernet.pair import PairSupernet
from duonas.training.fabric import one_process
from duonas.training.finetune import SupervisedTraining


def trained(context: Context, shared: PairSupernet, arch, path: Path) -> float:
    """The accuracy on val of an arch trained alone; ``shared`` has the shapes of its weights."""
    options = context.recipe.train
    network = shared.extract(Subnet(arch))
    initialise(network, stream(context.recipe.seed, "scratch", arch.id))
    rule = SupervisedTraining(network, options)
    fit(context, Fitting(f"scratch/{arch.id}", network, rule, options, path, one_process(options)), _quiet)
    context.recalibrate(network)
    logits = context.evaluator_on(context.splits.val, None).logits(network)
    return float((logits.argmax(1) == context.splits.val.labels.numpy()).mean())


def _quiet(done: int, total: int, **figures: float) -> None:
    """No bar: one line a network is enough."""


def main() -> None:
    """Train, and write the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--archs", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("scratch.parquet"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    known = parquet.read_table(arguments.out).to_pylist() if arguments.out.exists() else []
    done = {row["arch"]: row["accuracy"] for row in known}
    recipe = RunFolder(arguments.run).recipe
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "run")
        shutil.copytree(arguments.run, folder, ignore=shutil.ignore_patterns("ranking", "tensorboard"))
        with RunFolder.open(folder, recipe) as run:
            context = Context(recipe, run)
            space = replace(recipe.space, weights=WeightsOptions())
            shared = Context(replace(recipe, space=space), run).fresh_supernet()
            for arch in chosen_archs(context.space, arguments.archs, 0):
                cell = context.space.text(arch)
                if cell in done:
                    continue
                begun = time.monotonic()
                done[cell] = trained(context, shared, arch, folder / "scratch" / arch.id / "weights.safetensors")
                print(f"{cell} {100 * done[cell]:.2f} % {time.monotonic() - begun:.0f} s", flush=True)
                table = pyarrow.table({"arch": list(done), "accuracy": [100 * value for value in done.values()]})
                parquet.write_table(table, arguments.out)
                arguments.out.with_suffix(".txt").write_text("".join(f"{cell}\n" for cell in done))


if __name__ == "__main__":
    main()
