"""The Python of the page on frames runs as it stands there, one block after the other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np

PAGE = (Path(__file__).parents[2] / "docs" / "using" / "frames.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(export, tmp_path, monkeypatch, capsys):
    shutil.copytree(export(True, "after_little")[2], tmp_path / "export")
    monkeypatch.chdir(tmp_path)
    names = {"frame": np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block.replace("85%", "20%"), "frames.md", "exec"), names)  # the pair is of random networks
    said = capsys.readouterr().out
    for part in ("FramePrediction('", "Stats(1 image since ", "Controller(target 70.0% little, now "):
        assert part in said
    assert names["bundle"].controller is None and names["bundle"].stats.count == 2
