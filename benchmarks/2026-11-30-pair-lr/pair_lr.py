"""Train the pair of one short supernet with several learning rates, and print what it answers on val."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import duonas
from duonas.core.files import read_json

BASE = [
    "train.steps=160", "train.accelerator=cpu", "search.evaluations=20", "search.population=10", "route.share=0.7",
    "finetune.mode=joint", "finetune.steps=80",
]  # fmt: skip


def main() -> None:
    """Print a row for each learning rate."""
    with TemporaryDirectory() as folder:
        first = None
        for rate in (0.005, 0.025, 0.05):
            recipe = duonas.load_recipe("digits", [*BASE, f"finetune.lr={rate}"])
            run = duonas.run(recipe, Path(folder, str(rate)), until="finetune", supernet=first)
            found = read_json(run / "finetuned.json")
            if first is None:
                print("supernet", found["search"])
            print(rate, found["now"])
            first = first or run


if __name__ == "__main__":
    main()
