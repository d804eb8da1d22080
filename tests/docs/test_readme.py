"""What the README says is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import duonas

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK = ["train.epochs=2", "search.evaluations=6", "search.population=3", "search.recalibration_images=64",
         "measure.latency_images=3", "measure.throughput_batches=1",
         "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"]  # fmt: skip


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    """The block as printed, on the least recipe, made short."""
    monkeypatch.chdir(tmp_path)
    load = duonas.load_recipe

    def short(name, overrides=()):
        return load("digits" if name == "quickstart" else name, [*QUICK, *overrides])

    monkeypatch.setattr(duonas, "load_recipe", short)
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block
    names = {
        "images": np.zeros((2, 3, 8, 8), np.float32),
        "photo": np.zeros((20, 30, 3), np.uint8),
        "frame": np.zeros((20, 30, 3), np.uint8),
    }
    exec(compile(block[1], "README.md", "exec"), names)
    assert (tmp_path / "runs" / "mine" / "report.html").exists()
    assert names["bundle"].tau != names["prediction"].score[0] and len(capsys.readouterr().out.split()) >= 2


def test_the_commands_of_the_readme_are_those_of_ci():
    install, test = re.search(r"```\n(pip install .*?)\n(pip install .*?)\n```", README).groups()
    assert install == "pip install -e '.[full]' && duonas run quickstart"
    assert test in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_name_that_is_exported_is_there_and_sorted():
    assert list(duonas.__all__) == sorted(duonas.__all__)
    assert all(getattr(duonas, name) is not None for name in duonas.__all__)


def test_every_file_that_is_linked_exists():
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "benchmarks").rglob("README.md"),
    ]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8"))]
    assert links
    assert [f"{page}: {link}" for page, link in links if not (page.parent / link).exists()] == []
