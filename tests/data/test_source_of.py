from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.data.source_of import source_of


def made(root: Path, *files: str) -> Path:
    """A folder with images and, of other suffixes, texts."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg"):
            Image.new("RGB", (4, 4)).save(path)
        else:
            path.write_text("file_name,label\n")
    return root


@pytest.mark.parametrize(
    ("files", "source"),
    [
        (("cat/1.png", "dog/1.png"), "folder"),
        (("train/cat/1.png", "train/dog/1.png", "test/cat/1.png"), "folder"),
        (("cat/1.png", "dog/1.png", "notes.csv"), "folder"),  # a stray table
        ((), "folder"),  # which says that it is empty
        (("cat/1.png",), "folder"),
        (("labels.csv", "images/1.png"), "table"),
        (("labels.csv", "1.png"), "table"),
        (("train.csv", "train/1.jpg", "test/1.jpg"), "table"),
        (("train/metadata.csv", "train/cat/1.png", "train/dog/1.png"), "table"),
        (("data/train-00000-of-00001.parquet",), "table"),
    ],
)
def test_a_folder_is_read_by_the_source_that_fits(tmp_path: Path, files: tuple[str, ...], source: str) -> None:
    assert source_of(str(made(tmp_path, *files)), "--images") == source


def test_a_file_is_a_table_or_nothing(tmp_path: Path) -> None:
    made(tmp_path, "labels.tsv", "1.png")
    assert source_of(str(tmp_path / "labels.tsv"), "--images") == "table"
    with pytest.raises(DuonasError, match=r"--images .*1\.png is no table that is read: expected a folder with a"):
        source_of(str(tmp_path / "1.png"), "--images")
    with pytest.raises(DuonasError, match=r"--images .*none does not exist: expected a folder"):
        source_of(str(tmp_path / "none"), "--images")
    with pytest.raises(DuonasError, match="--images is empty"):
        source_of("", "--images")
