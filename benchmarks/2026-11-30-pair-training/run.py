"""Train the teacher and all variants of the study, and print their accuracy at equal expected cost as a table.

python benchmarks/2026-11-30-pair-training/run.py [table.key=value ...]     such as data.path=FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import duonas
from duonas.core.tensors import load_arrays
from duonas.pipeline.compare import run_folder
from duonas.routing.threshold import sweep

HERE = Path(__file__).parent
SHARES = (0.25, 0.5, 0.75)  # of the images that little answers: equal shares are equal costs, since archs are equal
TEACHER, STUDY = Path("runs/pair-training-teacher"), Path("runs/pair-training")


def row(run: Path) -> tuple[float, ...]:
    """Accuracies of little and big, at each share, and of the oracle; AUROC of little's score; minutes of training."""
    test, _ = load_arrays(run / "test_outputs.safetensors")
    little, big = (test[f"{role}_logits"].argmax(1) == test["labels"] for role in ("little", "big"))
    curve = sweep(test["score"], little, big)
    routed = (float(np.interp(share, curve.little_share, curve.accuracy)) for share in SHARES)
    seconds = json.loads((run / "stages.json").read_text())["stages"]["finetune"]["seconds"]
    right = (little.mean(), *routed, big.mean(), (little | big).mean())
    return (*(100 * float(each) for each in right), float(roc_auc_score(little, test["score"])), seconds / 60)


def main(overrides: list[str]) -> None:
    duonas.run(duonas.load_recipe(HERE / "teacher.toml", overrides), TEACHER, until="finetune")
    study = duonas.load_study(HERE / "study.toml", overrides)
    duonas.compare(study, STUDY)
    shares = " | ".join(f"{100 * share:.0f} % little" for share in SHARES)
    print(f"| variant | little | {shares} | big | oracle | AUROC | minutes |\n|{'---|' * (len(SHARES) + 6)}")
    for variant in study.variants:
        rows = np.array([row(run_folder(STUDY, variant.name, seed)) for seed in study.seeds])
        *accuracies, auroc, minutes = rows.mean(0)
        print(f"| {variant.name} | {' | '.join(f'{each:.2f}' for each in accuracies)} | {auroc:.3f} | {minutes:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
