"""The Python of the pages on kits, the demo and strangers' bundles is run as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

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


def test_the_python_of_the_readme_of_a_kit_runs(export, tmp_path, monkeypatch, capsys):
    shutil.unpack_archive(write_kit(export(True, "after_little")[2], tmp_path / "kit.zip").path, tmp_path)
    monkeypatch.chdir(tmp_path / "kit")
    (block,) = blocks(Path("README.md").read_text(encoding="utf-8"))
    exec(compile(block, "README.md", "exec"), {"image": Image.new("RGB", (30, 20))})
    assert "[" in capsys.readouterr().out
