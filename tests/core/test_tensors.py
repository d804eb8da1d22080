"""Named arrays on disk: the same bytes from NumPy as from torch, and back as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save

from duonas.core.errors import DuonasError
from duonas.core.tensors import load_arrays, load_tensors, save_tensors

TENSORS = {
    "weight": torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last),
    "half": torch.ones(3, dtype=torch.float16),
    "steps": torch.tensor(7),
    "right": torch.tensor([True, False]),
    "none": torch.empty(0, 4),
}


def test_the_bytes_are_those_of_safetensors_for_torch(tmp_path):
    plain = {name: value.contiguous() for name, value in TENSORS.items()}
    assert save_tensors(tmp_path / "a", TENSORS).read_bytes() == save(plain)
    written = save_tensors(tmp_path / "b", TENSORS, {"step": 3}).read_bytes()
    assert written == save(plain, {"header": '{"step": 3}'})
    assert save_tensors(tmp_path / "c", {n: v.numpy() for n, v in TENSORS.items()}, {"step": 3}).read_bytes() == written


def test_what_was_saved_is_loaded_as_either_kind(tmp_path):
    path = save_tensors(tmp_path / "a", TENSORS, {"step": 3})
    tensors, header = load_tensors(path)
    arrays, same = load_arrays(path)
    assert header == same == {"step": 3} and tensors.keys() == arrays.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert torch.equal(tensors[name], value) and np.array_equal(arrays[name], value.numpy())
        assert tensors[name].shape == value.shape and arrays[name].dtype == value.numpy().dtype
    assert load_arrays(save_tensors(tmp_path / "b", TENSORS))[1] == {}


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(DuonasError, match=r"none\.safetensors does not exist"):
        load_tensors(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"half")
    with pytest.raises(DuonasError, match=r"bad\.safetensors is damaged"):
        load_arrays(tmp_path / "bad.safetensors")
