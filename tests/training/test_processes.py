"""Two processes under torchrun train one supernet."""

from __future__ import annotations

import subprocess
import sys

import torch

from duonas.training.checkpoint import load_tensors


def test_two_processes_train_and_one_writes(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "duonas", "train",
               "quickstart", "--out", str(tmp_path / "run"), "--set", "train.epochs=1",
               "--set", "train.accelerator=cpu"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    tensors, header = load_tensors(tmp_path / "run" / "supernet.safetensors")
    assert header["steps"] == 7 and all(torch.isfinite(t.float()).all() for t in tensors.values())
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert len(lines) == 7  # from one of the two
