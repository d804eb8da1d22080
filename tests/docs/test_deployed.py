"""The Python of the first page and of those on kits, the demo and strangers' bundles is run as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duonas.deploy.kit import write_kit

DOCS = Path(__file__).parents[2] / "docs" / "using"


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(("page", "said"), [("demo.md", "Answered by "), ("security.md", "")])
def test_the_python_of_a_page_runs(page, said, export, capsys):
    folder = export(True, "after_little")[2]
    (block,) = blocks((DOCS / page).read_text(encoding="utf-8"))
    exec(compile(block, page, "exec"), {"run": folder.parent, "folder": folder})
    assert said in capsys.readouterr().out


@pytest.fixture
def kit(export, tmp_path, monkeypatch):
    """The working directory is an unpacked kit."""
    shutil.unpack_archive(write_kit(export(True, "after_little")[2], tmp_path / "kit.zip").path, tmp_path)
    monkeypatch.chdir(tmp_path / "kit")


@pytest.mark.parametrize(
    ("page", "given", "said"),
    [
        (Path("README.md"), {"image": Image.new("RGB", (30, 20))}, "["),
        (DOCS.parent / "README.md", {"frame": np.zeros((20, 30, 3), np.uint8)}, "FramePrediction("),
    ],
    ids=["of the kit", "of the documentation"],
)
def test_the_python_of_a_first_page_runs_beside_a_kit(page, given, said, kit, capsys):
    (block,) = blocks(page.read_text(encoding="utf-8"))
    exec(compile(block, str(page), "exec"), given)
    assert said in capsys.readouterr().out
