"""Images in a file are the images in memory: same splits, same batches; and the file is made once, whole or not."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.data import decode, inspect, store
from duonas.data.augment import Augment
from duonas.data.batches import Batches, evaluation_batches
from duonas.data.distributed import Process
from duonas.data.facts import ImageFact
from duonas.data.images import Images, read, take
from duonas.data.ondisk import OnDisk
from duonas.data.options import DataOptions
from duonas.data.splits import Splits, channel_histogram, channel_statistics, load_splits
from duonas.recipe.schema import options_for

NAMES = ("train", "val", "calib", "test")
COUNTS = {"cat": 70, "dog": 80}  # more than two parts of ``decode.CHUNK``
AUGMENT = Augment.from_options(options_for("data", crop_padding=2, flip=True, randaugment=1, mixup=0.2, cutmix=1.0))

FLIP = Augment.from_options(options_for("data", flip=True))


@pytest.fixture
def options(make_folder: Callable[..., Path], tmp_path: Path) -> DataOptions:
    return on_disk(make_folder(COUNTS), tmp_path)


def on_disk(images: Path, tmp_path: Path, size: int = 8) -> DataOptions:
    return options_for(
        "data",
        name="folder",
        path=str(images),
        image_size=size,
        store="disk",
        cache=str(tmp_path / "cache"),
        val=0.2,
        test=0.3,
    )


def in_memory(options: DataOptions, seed: int = 0) -> Splits:
    return load_splits(options_for("data", **(vars(options) | {"store": "memory"})), seed)


def the_file(tmp_path: Path, name: str = "pixels.u8") -> Path:
    (found,) = (tmp_path / "cache").glob(f"*/{name}")
    return found


def refuse(*_: object) -> None:
    raise AssertionError("this should not have been called")


def forbid(path: Path, *_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_the_splits_are_those_in_memory(options: DataOptions) -> None:
    for seed in (0, 1):
        disk, memory = load_splits(options, seed), in_memory(options, seed)
        assert (disk.hashes, disk.mean, disk.std) == (memory.hashes, memory.mean, memory.std)
        assert (disk.class_names, disk.image_size) == (memory.class_names, memory.image_size)
        assert channel_statistics(channel_histogram(read(disk.train.pixels))) == (disk.mean, disk.std)
        for name in NAMES:
            ours, theirs = getattr(disk, name), getattr(memory, name)
            assert isinstance(ours.pixels, OnDisk) and ours.pixels.shape == theirs.pixels.shape
            assert torch.equal(read(ours.pixels), theirs.pixels) and torch.equal(ours.labels, theirs.labels)


@pytest.mark.parametrize("augment", [Augment(), AUGMENT], ids=["plain", "varied"])
@pytest.mark.parametrize("world", [1, 2])
def test_the_batches_are_those_in_memory(options: DataOptions, augment: Augment, world: int) -> None:
    disk, memory = (
        Batches(splits.train, 12, num_classes=2, seed=3, augment=augment, process=Process(world - 1, world))
        for splits in (load_splits(options, 0), in_memory(options))
    )
    for step in (*range(2 * len(memory)), 4, 5, 0):  # in order, and as after a restart
        for ours, theirs in zip(disk.batch(step), memory.batch(step), strict=True):
            assert torch.equal(ours, theirs)


def test_evaluation_is_over_the_same_batches(options: DataOptions) -> None:
    disk, memory = load_splits(options, 0).train.pixels, in_memory(options).train.pixels
    for length, size in ((len(memory), 25), (7, 7), (3, 50), (0, 5)):
        ours, theirs = (list(evaluation_batches(pixels[:length], size)) for pixels in (disk, memory))
        assert [len(part) for part in ours] == [len(part) for part in theirs]
        assert all(torch.equal(*parts) for parts in zip(ours, theirs, strict=True))


def test_of_several_processes_each_reads_what_it_needs(options: DataOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = noted(monkeypatch)
    train = load_splits(options, 0).train
    lengths.clear()
    Batches(train, 12, num_classes=2, seed=0, augment=FLIP, process=Process(0, 4)).batch(0)
    assert lengths[0] == 3


def test_nothing_ever_reads_or_copies_all_images(
    make_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = noted(monkeypatch)
    monkeypatch.setattr(inspect, "decode_sizes", refuse)
    splits = load_splits(on_disk(make_folder({"cat": 400, "dog": 500}, size=(2, 2)), tmp_path, 2), 0)
    file = splits.train.pixels.stored.data_ptr()
    for name in NAMES:
        images: Images = getattr(splits, name).to("cpu")
        assert images.subset(np.array([2, 0])).pixels[:1].stored.data_ptr() == file
    for _ in evaluation_batches(splits.train.pixels, 200):
        pass
    loader = Batches(splits.train, 64, num_classes=2, seed=0, augment=AUGMENT)
    for step in range(len(loader)):
        loader.batch(step)
    assert max(lengths) <= 256 < len(splits.train)


def noted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images are read at a time."""
    lengths: list[int] = []
    whole = OnDisk.read

    def read_and_note(self: OnDisk) -> torch.Tensor:
        lengths.append(len(self))
        return whole(self)

    monkeypatch.setattr(OnDisk, "read", read_and_note)
    return lengths


def test_the_next_run_opens_what_this_one_made(options: DataOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_splits(options, 0)
    monkeypatch.setattr(store, "decode_in_order", refuse)
    load_splits(options, 1)  # another seed splits the same file
    with monkeypatch.context() as patch:
        patch.setattr(OnDisk, "read", refuse)  # and what was found by looking at all of it is known
        assert load_splits(options, 0).hashes == first.hashes


def test_a_cache_that_may_only_be_read_is_used(
    options: DataOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_splits(options, 0).hashes
    the_file(tmp_path, "splits-*.json").unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(store, "FileLock", refuse)
    assert load_splits(options, 0).hashes == expected


def test_a_cache_whose_lock_is_somebody_elses_is_used(
    options: DataOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_splits(options, 0).hashes
    the_file(tmp_path, "splits-*.json").unlink()
    monkeypatch.setattr(store, "FileLock", forbid)
    assert load_splits(options, 0).hashes == expected


def test_a_cache_where_one_may_not_look_is_refused(options: DataOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_check_room", forbid)
    with pytest.raises(DuonasError, match=r"cannot write .*: Permission denied; name another folder by \[data\] cache"):
        load_splits(options, 0)


def test_changed_files_are_decoded_anew(options: DataOptions, tmp_path: Path) -> None:
    before = load_splits(options, 0)
    changed = Path(options.path or "") / "dog" / "000.png"
    Image.new("RGB", (12, 10), "white").save(changed)
    after = load_splits(options, 0)
    assert before.hashes != after.hashes == in_memory(options).hashes
    assert the_file(tmp_path).stat().st_size == (2 + sum(COUNTS.values())) * 3 * 8 * 8  # a black one, and a new one
    assert load_splits(on_disk(Path(options.path or ""), tmp_path, 9), 0).image_size == 9


def stopping(after: int, error: BaseException) -> Callable[..., Iterator[tuple[np.ndarray, list[ImageFact]]]]:
    """``decode_in_order`` that fails after so many parts."""
    whole = decode.decode_in_order

    def decode_some(*args: object) -> Iterator[tuple[np.ndarray, list[ImageFact]]]:
        for number, part in enumerate(whole(*args)):
            if number == after:
                raise error
            yield part

    return decode_some


@pytest.mark.parametrize("torn", [0, 17])
def test_stopped_in_the_middle_it_goes_on_from_there(
    options: DataOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: int
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "decode_in_order", stopping(1, KeyboardInterrupt()))
        load_splits(options, 0)
    assert the_file(tmp_path).stat().st_size == (decode.CHUNK + 1) * 3 * 8 * 8
    with the_file(tmp_path).open("ab") as file:
        file.write(b"x" * torn)  # what a kill leaves that the index does not know of
    decoded = noted_decoding(monkeypatch)
    told: list[tuple[int, int]] = []
    splits = load_splits(options, 0, lambda done, total: told.append((done, total)))
    assert sum(decoded) == sum(COUNTS.values()) - decode.CHUNK
    assert told[:2] == [(n * decode.CHUNK, sum(COUNTS.values())) for n in (1, 2)]
    assert splits.hashes == in_memory(options).hashes


def test_a_kill_costs_what_the_index_does_not_know(
    options: DataOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "COMMIT", 1)  # byte: the index is written after each image
    whole = store.write_rows

    def write_and_copy(path: Path, *rest: object) -> Path:
        if path.name.endswith(f"{100:09}.parquet"):  # what a kill at this moment would leave
            shutil.copytree(tmp_path / "cache", tmp_path / "killed")
        return whole(path, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_rows", write_and_copy)
        load_splits(options, 0)
    decoded = noted_decoding(monkeypatch)
    killed = options_for("data", **(vars(options) | {"cache": str(tmp_path / "killed")}))
    assert load_splits(killed, 0).hashes == in_memory(options).hashes
    assert sum(decoded) == sum(COUNTS.values()) - 100


def noted_decoding(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images are decoded by each call."""
    calls: list[int] = []
    whole = decode.decode_in_order
    monkeypatch.setattr(
        store, "decode_in_order", lambda images, *rest: calls.append(len(images)) or whole(images, *rest)
    )
    return calls


def test_of_several_at_once_one_decodes(options: DataOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = noted_decoding(monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        hashes = [splits.hashes for splits in pool.map(lambda _: load_splits(options, 0), range(4))]
    assert sum(calls) == sum(COUNTS.values())
    assert all(each == in_memory(options).hashes for each in hashes)


def test_only_new_images_are_decoded(options: DataOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    load_splits(options, 0)
    for name in ("aaa.png", "zzz.png"):
        Image.new("RGB", (12, 10), "white").save(Path(options.path or "") / "cat" / name)
    (Path(options.path or "") / "dog" / "003.png").unlink()
    decoded = noted_decoding(monkeypatch)
    assert load_splits(options, 0).hashes == in_memory(options).hashes
    assert sum(decoded) == 2


def test_images_of_another_data_set_in_the_same_place_are_noticed(
    options: DataOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_splits(options, 0)
    changed = Path(options.path or "") / "dog" / "000.png"
    before = changed.stat()
    data = bytearray(changed.read_bytes())
    Image.new("RGB", (12, 10), (40, 0, 8)).save(changed)
    assert changed.stat().st_size == len(data)
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))  # as when an archive is unpacked
    assert load_splits(options, 0).hashes == in_memory(options).hashes


def test_the_facts_are_those_in_memory(options: DataOptions) -> None:
    (Path(options.path or "") / "dog" / "007.png").write_bytes(b"nonsense")
    skipping = options_for("data", **(vars(options) | {"on_error": "skip"}))
    for _ in range(2):
        disk, memory = load_splits(skipping, 0), in_memory(skipping)
        for name in ImageFact._fields:
            assert np.array_equal(getattr(disk.inspected.facts, name), getattr(memory.inspected.facts, name))
        assert disk.hashes == memory.hashes


def test_too_little_room_is_said_before_anything_is_written(
    options: DataOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000))
    with pytest.raises(DuonasError, match=r"need 0\.0 GB in .*cache and only 0\.0 GB are free .* by \[data\] cache"):
        load_splits(options, 0)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("after", [0, 1])
def test_a_disk_that_fills_up_leaves_the_cache_as_it_was(
    options: DataOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(store, "COMMIT", 3 * 8 * 8)
    monkeypatch.setattr(store, "decode_in_order", stopping(after, OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(DuonasError, match=r"cannot write .*pixels\.u8: No space left on device; name another folder"):
        load_splits(options, 0)
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [".lock"]


def test_a_disk_that_fills_up_keeps_what_was_there(
    options: DataOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_splits(options, 0)
    added = Path(options.path or "") / "cat" / "zzz.png"
    Image.new("RGB", (12, 10), "white").save(added)
    with monkeypatch.context() as patch, pytest.raises(DuonasError, match="No space left"):
        patch.setattr(store, "decode_in_order", stopping(0, OSError(errno.ENOSPC, "No space left on device")))
        load_splits(options, 0)
    added.unlink()
    decoded = noted_decoding(monkeypatch)
    assert load_splits(options, 0).hashes == before.hashes
    assert decoded == []


def test_images_that_are_not_files_are_stored_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"store": "disk", "cache": str(tmp_path / "cache")}
    first = load_splits(options_for("data", **keys), 0)
    assert first.hashes == load_splits(options_for("data"), 0).hashes
    decoded = noted_decoding(monkeypatch)
    load_splits(options_for("data", **keys), 1)
    assert decoded == []


def test_a_cache_that_is_no_folder_is_refused(options: DataOptions, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DuonasError, match=r"cannot write .*cache.*; name another folder by \[data\] cache"):
        load_splits(options, 0)


def test_a_file_that_was_cut_is_noticed(options: DataOptions, tmp_path: Path) -> None:
    load_splits(options, 0)
    path = the_file(tmp_path)
    os.truncate(path, 100)
    with pytest.raises(DuonasError, match=r"pixels\.u8 is damaged: it holds 100 bytes; delete its folder"):
        load_splits(options, 0)
    added = Path(options.path or "") / "cat" / "zzz.png"
    Image.new("RGB", (12, 10), "white").save(added)
    with pytest.raises(DuonasError, match="is damaged"):  # not filled up with black
        load_splits(options, 0)
    added.unlink()
    shutil.rmtree(path.parent)
    assert load_splits(options, 0).hashes == in_memory(options).hashes


def test_rows_of_images_on_disk_read_nothing(options: DataOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    train = load_splits(options, 0).train
    monkeypatch.setattr(OnDisk, "read", refuse)
    chosen = take(train.pixels[5:20], np.array([3, 0]))
    assert chosen.rows.tolist() == [train.pixels.rows[8], train.pixels.rows[5]]
