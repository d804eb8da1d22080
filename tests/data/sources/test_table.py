"""Tables of images and labels as people have them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.data.decode import decode_all
from duonas.data.inspect import inspect_data
from duonas.data.listing import Listing
from duonas.data.sources.table import Table
from duonas.recipe.schema import options_for
from duonas.runtime.prepare import Preparation


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (2, 2), shade).save(file, "PNG")
    return file.getvalue()


def images(folder: Path, *names: str) -> Path:
    """Write one image to each name, each of another shade."""
    for shade, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(shade))
    return folder


def write(path: Path, rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> Path:
    """Write rows as the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=2)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    return path


def listed(path: Path, **keys: Any) -> Listing:
    return Table(Table.Options(path=str(path), **keys)).list()


def shades(listing: Listing) -> list[int]:
    pixels, facts = decode_all(listing.images, Preparation(2))
    assert set(facts.broken) == {""}
    return pixels[:, 0, 0, 0].tolist()


def labels(listing: Listing) -> list[str]:
    return [listing.class_names[label] for label in listing.labels]


def kinds(listing: Listing) -> list[tuple[str, bool]]:
    return [(problem.kind, problem.error) for problem in listing.problems]


ROWS = [
    {"file_name": "a.png", "label": "dog"},
    {"file_name": "in/b.png", "label": "cat"},
    {"file_name": "c.png", "label": "dog"},
]
FILES = [row["file_name"] for row in ROWS]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_table_is_read(tmp_path: Path, suffix: str) -> None:
    images(tmp_path, *FILES)
    table = write(tmp_path / f"labels{suffix}", ROWS, "\t" if suffix == ".tsv" else ",")
    for path in (table, tmp_path):
        listing = listed(path)
        assert (shades(listing), labels(listing)) == ([0, 1, 2], ["dog", "cat", "dog"])
        assert listing.class_names == ("cat", "dog") and set(listing.splits) == {""} and not listing.problems
        assert list(listing.names) == FILES


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("image", ["Image", "filepath", "IMG", "filename"])
@pytest.mark.parametrize("label", ["Class", "category", "target", "species"])
def test_columns_are_found_by_their_usual_names(tmp_path: Path, delimiter: str, image: str, label: str) -> None:
    images(tmp_path, *FILES)
    rows = [{label: row["label"], image: row["file_name"]} for row in ROWS]
    assert labels(listed(write(tmp_path / "labels.csv", rows, delimiter))) == ["dog", "cat", "dog"]


def test_a_column_that_could_be_another_must_be_named(tmp_path: Path) -> None:
    images(tmp_path, *FILES)
    rows = [{"photo": row["file_name"], "fine": row["label"], "coarse": "pet"} for row in ROWS]
    table = write(tmp_path / "labels.csv", rows)
    with pytest.raises(
        DuonasError, match=r"no column of images among photo, fine, coarse: name it by \[data\] image_column"
    ):
        listed(table)
    with pytest.raises(DuonasError, match=r"no column of labels among fine, coarse: name it by \[data\] label_column"):
        listed(table, image_column="photo")
    with pytest.raises(DuonasError, match=r"no column 'fin', which \[data\] label_column names: did you mean 'fine'\?"):
        listed(table, image_column="photo", label_column="fin")
    assert labels(listed(table, image_column="photo", label_column="fine")) == ["dog", "cat", "dog"]


def test_splits_are_a_column_or_the_names_of_the_files(tmp_path: Path) -> None:
    images(tmp_path, *FILES, "d.png")
    rows = [*ROWS, {"file_name": "d.png", "label": "cat"}]
    column = [
        row | {"split": split} for row, split in zip(rows, ["Train", "training", "validation", "TEST"], strict=True)
    ]
    listing = listed(write(tmp_path / "one" / "all.csv", column), images=str(tmp_path))
    assert listing.splits.tolist() == ["train", "train", "val", "test"]
    assert set(listed(tmp_path / "one" / "all.csv", images=str(tmp_path), split_column="none").splits) == {""}
    write(tmp_path / "two" / "train.csv", rows[:2])
    write(tmp_path / "two" / "valid-00000-of-00001.csv", rows[2:3])
    write(tmp_path / "two" / "Test.csv", rows[3:])
    listing = listed(tmp_path / "two", images=str(tmp_path))
    assert dict(zip(listing.names, listing.splits, strict=True)) == {
        "a.png": "train", "in/b.png": "train", "c.png": "val", "d.png": "test",
    }  # fmt: skip


def test_splits_may_be_any_word_of_the_names_of_files(tmp_path: Path) -> None:
    images(tmp_path, *FILES, "d.png")
    folder = tmp_path / "tables"
    write(folder / "annotations_train.csv", ROWS)
    write(folder / "mnist_test.csv", [{"file_name": "d.png", "label": "cat"}])
    assert listed(folder, images=str(tmp_path)).splits.tolist() == ["train"] * 3 + ["test"]


@pytest.mark.parametrize(("name", "split"), [("train.csv", "train"), ("Train/metadata.csv", "train"), ("test.csv", "")])
def test_a_folder_of_one_table_has_the_split_that_it_is_named_after(tmp_path: Path, name: str, split: str) -> None:
    write(images(tmp_path, *FILES) / name, ROWS)
    listing = listed(tmp_path, images=str(tmp_path))
    assert set(listing.splits) == {split} and listing.table == listing.root == tmp_path


def test_files_of_several_kinds_are_all_used(tmp_path: Path) -> None:
    images(tmp_path, *FILES)
    write(tmp_path / "train.csv", ROWS)
    write(tmp_path / "test.jsonl", ROWS[:1])
    write(tmp_path / "val" / "metadata.csv", [{"file_name": "../c.png", "label": "cat"}])
    listing = listed(tmp_path)
    assert sorted(listing.splits) == ["test", "train", "train", "train", "val"] and not listing.problems


def test_one_table_in_two_formats_is_used_once(tmp_path: Path) -> None:
    images(tmp_path, *FILES)
    write(tmp_path / "labels.csv", ROWS)
    write(tmp_path / "labels.jsonl", ROWS)
    listing = listed(tmp_path)
    assert len(listing) == 3 and kinds(listing) == [("unused table", False)]
    assert listing.skipped[0].name == str(tmp_path / "labels.jsonl")


def test_all_files_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", ROWS)
    write(tmp_path / "sample_submission.csv", ROWS)
    write(tmp_path / "test.csv", [{"file_name": "a.png"}])
    write(tmp_path / "about.csv", [{"size": 1, "colour": "red"}])
    with pytest.raises(
        DuonasError, match=r"(?s)2 of 4 tables .* data\.path, such as '.*train\.csv'.*about.*test"
    ) as stopped:
        listed(tmp_path)
    assert str(stopped.value).count("\n- ") == 2


def test_a_table_of_no_split_beside_a_train_table_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", ROWS)
    write(tmp_path / "sample_submission.csv", ROWS)
    with pytest.raises(DuonasError, match=r"sample_submission\.csv is named after no split, but .*train\.csv is"):
        listed(tmp_path)


def test_tables_of_runs_in_the_folder_are_not_read(tmp_path: Path) -> None:
    write(images(tmp_path, *FILES) / "labels.csv", ROWS)
    write(tmp_path / "run" / "archs.parquet", [{"arch": "x"}])
    (tmp_path / "run" / "recipe.toml").write_text("")
    assert len(listed(tmp_path)) == 3


def shard(path: Path, names: Sequence[str] | None, numbers: Sequence[int]) -> None:
    """A file of Hugging Face."""
    table = pa.Table.from_pylist([{"image": {"bytes": png(0), "path": None}, "label": number} for number in numbers])
    if names is not None:
        features = {"label": {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)


def test_numbers_of_classes_are_compared_by_name(tmp_path: Path) -> None:
    shard(tmp_path / "train-0.parquet", ["a", "b", "c"], [0, 1, 2])
    shard(tmp_path / "test-0.parquet", ["a", "c"], [0, 1, -1])
    listing = listed(tmp_path)
    assert dict(zip(["a", "b", "c"], labels(listing)[2:], strict=True)) == {"a": "a", "b": "b", "c": "c"}
    assert labels(listing)[:2] == ["a", "c"] and kinds(listing) == [("unlabelled", True)]
    shard(tmp_path / "val-0.parquet", ["z"], [0])
    assert ("unknown class", True) in kinds(listed(tmp_path))
    shard(tmp_path / "val-0.parquet", None, [0])
    with pytest.raises(DuonasError, match=r"val-0\.parquet has numbers for classes, and other tables .* names"):
        listed(tmp_path)


@pytest.mark.parametrize("written", [["1.0", "1", "0"], ["1.0", "1.0", "0.0"], ["1.", "1", "0.00"]])
def test_whole_numbers_with_a_point_are_the_classes_of_the_numbers(tmp_path: Path, written: list[str]) -> None:
    rows = [row | {"label": label} for row, label in zip(ROWS, written, strict=True)]
    listing = listed(write(images(tmp_path, *FILES) / "labels.csv", rows))
    assert listing.class_names == ("0", "1") and listing.labels.tolist() == [1, 1, 0]


def test_versions_are_no_whole_numbers(tmp_path: Path) -> None:
    rows = [row | {"label": label} for row, label in zip(ROWS, ["1.0", "1.5", "2.0"], strict=True)]
    assert listed(write(images(tmp_path, *FILES) / "labels.csv", rows)).class_names == ("1.0", "1.5", "2.0")


@pytest.mark.parametrize(
    "image", ["x" * 300, "iVBORw0KGgo" * 10_000, "a\0.png", {"path": "gone.png"}, {"data": 3}, 7, ["a.png"]]
)
def test_what_is_no_path_is_one_broken_image(tmp_path: Path, image: object) -> None:
    images(tmp_path, *FILES)
    rows: list[Any] = [*ROWS, {"file_name": image, "label": "cat"}]
    table = write(tmp_path / "labels.jsonl", rows)
    for store in ("memory", "disk"):
        keys: dict[str, Any] = {"store": store, "cache": str(tmp_path / "cache"), "image_size": 2}
        inspected, _ = inspect_data(options_for("data", name="table", path=str(table), **keys), 0)
        (broken,) = [each for each in inspected.problems if each.kind == "broken"]
        assert len(broken.names) == 1 and len(broken.names[0]) < 400


def test_an_image_may_be_an_object_with_a_path(tmp_path: Path) -> None:
    rows = [{"image": {"path": row["file_name"]}, "label": row["label"]} for row in ROWS]
    listing = listed(write(images(tmp_path, *FILES) / "labels.jsonl", rows))
    assert shades(listing) == [0, 1, 2] and list(listing.names) == FILES


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    table = write(tmp_path / "labels.jsonl", ROWS)
    table.write_text(table.read_text() + "\n" + '{"file_name": 1 2}\n')
    with pytest.raises(DuonasError, match=r"line 5 of .*labels\.jsonl is not JSON: .* at column 17"):
        listed(table)


@pytest.mark.parametrize("start", ["C:\\Users\\me\\", "D:/data/", "/home/nobody/"])
def test_absolute_paths_of_another_computer_are_found_by_their_ends(tmp_path: Path, start: str) -> None:
    images(tmp_path / "images", "a.png", "in/b.png")
    names = [f"{start}a.png", f"{start}in{'/' if '/' in start else chr(92)}b.png"]
    table = write(tmp_path / "t.csv", [{"image": name, "label": i} for i, name in enumerate(names)])
    if "/home" not in start:
        assert kinds(listed(table)) == [("elsewhere", True)]
        assert "set [data] images" in listed(table).problems[0].message
        inspected, _ = inspect_data(options_for("data", name="table", path=str(table), image_size=2), 0)
        assert [each.kind for each in inspected.problems if each.error] == ["elsewhere"]
    found = listed(table, images=str(tmp_path / "images"))
    assert shades(found) == [0, 1] and not found.problems


def test_values_that_are_no_splits_are_refused(tmp_path: Path) -> None:
    rows = [row | {"split": str(i)} for i, row in enumerate(ROWS)]
    with pytest.raises(DuonasError, match=r"has the split '0'; expected one of train, .*split_column = 'none'"):
        listed(write(images(tmp_path, *FILES) / "labels.csv", rows))


def test_metadata_of_hugging_face_beside_the_images(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        images(tmp_path / split, "a.png", "b.png", "unnamed.png")
        rows = [{"file_name": "a.png", "label": "cat"}, {"file_name": "b.png", "label": "dog"}]
        write(tmp_path / split / "metadata.jsonl", rows)
    listing = listed(tmp_path)
    assert listing.splits.tolist() == ["train", "train", "val", "val"]
    assert kinds(listing) == [("unnamed", False)]
    assert [Path(each.name).name for each in listing.skipped] == ["unnamed.png"] * 2


def test_parquet_of_hugging_face_with_images_inside(tmp_path: Path) -> None:
    for split in ("train", "test"):
        rows = [{"picture": {"bytes": png(i), "path": f"{i}.png"}, "coarse_label": i % 3} for i in range(5)]
        table = pa.Table.from_pylist(rows)
        features = {"coarse_label": {"names": ["ant", "bee", "cow"], "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "data" / f"{split}-00000-of-00001.parquet", row_group_size=2)
    listing = listed(tmp_path)
    assert shades(listing) == [0, 1, 2, 3, 4] * 2
    assert labels(listing) == ["ant", "bee", "cow", "ant", "bee"] * 2
    assert listing.splits.tolist() == ["test"] * 5 + ["train"] * 5
    assert listing.names[6].startswith("1.png (row 1 of ")


def test_parquet_of_bytes_and_of_structs_without_bytes(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.png")
    write(tmp_path / "bytes.parquet", [{"image": png(0), "label": 3}, {"image": png(1), "label": 20}])
    inside = [{"image": {"bytes": None, "path": name}, "label": i} for i, name in enumerate(["a.png", "b.png"])]
    write(tmp_path / "paths.parquet", inside)
    for name, classes in (("bytes", ("3", "20")), ("paths", ("0", "1"))):
        listing = listed(tmp_path / f"{name}.parquet")
        assert shades(listing) == [0, 1] and listing.class_names == classes


def test_images_in_parquet_are_not_all_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "t.parquet", [{"image": png(i), "label": i % 2} for i in range(40)])
    listing = listed(tmp_path / "t.parquet")
    assert shades(listing) == list(range(40))
    column = listing.images._images._sequences[0]  # type: ignore[attr-defined]
    assert len(column._kept) <= 4


def test_28_pixels_stay_28_pixels(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (28, 28)).save(file, "PNG")
    write(tmp_path / "t.parquet", [{"image": file.getvalue(), "label": i % 2} for i in range(12)])
    inspected, found = inspect_data(options_for("data", name="table", path=str(tmp_path / "t.parquet")), 0)
    assert found.pixels.shape == (12, 3, 28, 28) and inspected.preparation.image_size == 28


@pytest.mark.parametrize(
    ("written", "file"), [("in\\b.png", "in/b.png"), ("in/b", "in/b.png"), ("b", "b.jpg"), (" b.png ", "b.png")]
)
def test_paths_as_other_systems_and_people_write_them(tmp_path: Path, written: str, file: str) -> None:
    images(tmp_path, file, "a.png")
    rows = [{"image_id": written, "label": "x"}, {"image_id": str(tmp_path / "a.png"), "label": "y"}]
    assert shades(listed(write(tmp_path / "labels.csv", rows))) == [0, 1]


def test_rows_that_cannot_be_used_are_all_named(tmp_path: Path) -> None:
    images(tmp_path, *FILES)
    rows = [
        *ROWS,
        {"file_name": "gone.png", "label": "cat"},
        {"file_name": "a.png", "label": ""},
        {"file_name": "", "label": "dog"},
    ]
    table = write(tmp_path / "labels.csv", rows)
    assert kinds(listed(table)) == [("unlabelled", True)]
    inspected, _ = inspect_data(options_for("data", name="table", path=str(table), on_error="skip"), 0)
    by_kind = {problem.kind: problem.names for problem in inspected.problems if not problem.error}
    assert by_kind["unlabelled"] == ("a.png",)
    assert by_kind["broken"] == (
        "gone.png (No such file or directory)", f"row 5 of {table} (the file is empty)"
    )  # fmt: skip


def test_a_class_without_training_images_gets_the_nearest_name(tmp_path: Path) -> None:
    rows = [*ROWS, {"file_name": "c.png", "label": "dogs"}]
    rows = [row | {"split": split} for row, split in zip(rows, ["train", "train", "train", "test"], strict=True)]
    listing = listed(write(images(tmp_path, *FILES) / "labels.csv", rows))
    assert kinds(listing) == [("unknown class", True)] and "did you mean 'dog'?" in listing.problems[0].message


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=12).filter(lambda drawn: len(set(drawn)) > 1), st.booleans())
def test_numbers_are_classes_in_their_order(drawn: list[int], floats: bool) -> None:
    from duonas.data.sources._rows import Rows
    from duonas.data.sources._tables import _classes, _texts

    values = [float(label) for label in drawn] if floats else drawn
    texts = _texts(Path(), values)
    assert texts == _texts(Path(), [str(value) for value in values]) == list(map(str, drawn))
    names = _classes(Path(), [Path()], [Rows([], [], [], [])], texts, np.full(len(values), ""))
    assert names == tuple(str(label) for label in sorted(set(drawn)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected a header"),
        (b"a.png,cat\nb.png,dog\n", r"has no header: its first row must name the columns"),
        (b"file_name,label\na.png,cat,3\n", r"row 2 of .* has 3 values, but the header 2: a\.png, cat, 3"),
        (b"file_name,label\na.png,caf\xe9\n", "cannot be read as CSV: it is not UTF-8"),
        (b"label,label\na,b\n", "two columns of one name"),
        (b"file_name,label\na.png,cat\nb.png,cat\n", "only one class, 'cat'"),
        (b"file_name,label\n", "no labelled images"),
    ],
)
def test_a_csv_that_cannot_be_used_is_explained(tmp_path: Path, content: bytes, message: str) -> None:
    (images(tmp_path, "a.png") / "labels.csv").write_bytes(content)
    with pytest.raises(DuonasError, match=message):
        listed(tmp_path / "labels.csv")


@pytest.mark.parametrize("content", ["[1]\n", "{", "null\n", "[" * 100_000])
def test_json_lines_that_are_not_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "labels.jsonl").write_text(content)
    with pytest.raises(DuonasError, match=r"labels\.jsonl"):
        listed(tmp_path / "labels.jsonl")


@pytest.mark.parametrize("label", [[1, 2], 0.5, {"x": 1}])
def test_labels_of_other_tasks_are_refused(tmp_path: Path, label: object) -> None:
    with pytest.raises(DuonasError, match="expected the name or number of one class"):
        listed(write(tmp_path / "t.jsonl", [{"image": "a.png", "label": label}, {"image": "b.png", "label": label}]))


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DuonasError, match=r"t\.parquet cannot be read as Parquet"):
        listed(tmp_path / "t.parquet")


def test_what_is_missing_or_no_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match=r"needs data\.path"):
        Table(Table.Options()).list()
    with pytest.raises(DuonasError, match="does not exist; expected a table"):
        listed(tmp_path / "nowhere")
    with pytest.raises(DuonasError, match=r"holds no table; expected files that end in \.csv"):
        listed(tmp_path)
    (tmp_path / "t.xlsx").write_bytes(b"")
    with pytest.raises(DuonasError, match="is not a table that is read"):
        listed(tmp_path / "t.xlsx")
    write(tmp_path / "t.csv", ROWS)
    with pytest.raises(DuonasError, match=r"data\.images .* is not a folder"):
        listed(tmp_path / "t.csv", images=str(tmp_path / "nowhere"))
