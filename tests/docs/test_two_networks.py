"""The example of the page on given networks runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import duonas
from duonas.recipe.read import load

PAGE = (Path(__file__).parents[2] / "docs" / "using" / "two-networks.md").read_text(encoding="utf-8")
QUICK = ["measure.latency_images=5", "measure.throughput_batches=2", "pair.given.seconds=0.02"]


def test_the_python_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cascade = duonas.cascade
    monkeypatch.setattr(duonas, "cascade", lambda *networks, **options: cascade(*networks, overrides=QUICK, **options))
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block
    exec(compile(block[1], "two-networks.md", "exec"), {})
    said = capsys.readouterr().out
    assert "bright" in said and (tmp_path / "runs" / "cascade" / "report.html").exists()


def test_the_recipe_of_the_page_is_one(tmp_path):
    block = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert block
    (tmp_path / "mine.toml").write_text(block[1])
    given = load(tmp_path / "mine.toml").pair.given
    assert given.little[0].layout == "nhwc" and given.big[0].classes == "names.txt"
