"""A damaged ``stages.json`` is one sentence, however it is damaged."""

from __future__ import annotations

import json

import pytest

from duonas.core.errors import DuonasError
from duonas.rundir.paths import RunPaths
from duonas.rundir.stages import StageRecords


def stored(folder, value):
    paths = RunPaths(folder)
    paths.stages_file.write_text(value if isinstance(value, str) else json.dumps(value))
    return StageRecords(paths)


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "5",
        "[]",
        "null",
        {},
        {"train": 5},
        {"stages": []},
        {"stages": {}},
        {"version": 1, "stages": {}, "recipe": 5},
        {"version": 1, "recipe": "0", "stages": {}, "sources": 5},
        {"version": 1, "recipe": "0", "stages": {}, "sources": {"a.py:A": 5}},
        {"version": 1, "recipe": "0", "stages": {}, "began_in": "/tmp"},
        {"version": "1", "recipe": "0", "stages": {}},
        {"recipe": "0", "stages": {}},
        {"version": 1, "recipe": "0", "stages": {"train": {"files": {}, "seconds": "long"}}},
        {"version": 1, "recipe": "0", "stages": {"train": {"files": {}, "figures": []}}},
        {"version": 1, "recipe": "0", "stages": {"train": {"files": {"../../a": "0"}}}},
        {"version": 1, "recipe": "0", "stages": {"train": {"files": {"/etc/passwd": "0"}}}},
        "[" * 100_000,
        {"version": 1, "recipe": "0", "stages": {"train": 5}},
        {"version": 1, "recipe": "0", "stages": {"train": {}}},
        {"version": 1, "recipe": "0", "stages": {"train": {"files": ["a"]}}},
        {"version": 1, "recipe": "0", "stages": {"train": {"files": {"a": 5}}}},
    ],
)
def test_what_is_no_list_of_stages_is_damaged(tmp_path, value):
    with pytest.raises(DuonasError, match=r"stages\.json is damaged"):
        stored(tmp_path, value).read()


def test_an_unknown_stage_gets_a_hint(tmp_path):
    records = stored(tmp_path, {"version": 1, "recipe": "0", "stages": {"serach": {"files": {}}}})
    with pytest.raises(DuonasError, match=r"is damaged: there is no stage 'serach', did you mean 'search'\?"):
        records.is_done("train")


def test_another_version_is_refused(tmp_path):
    with pytest.raises(DuonasError, match=r"is of another version of duonas \(99, expected 1\)"):
        stored(tmp_path, {"version": 99, "recipe": "0", "stages": {}}).read()


def test_a_run_without_the_file_has_done_nothing(tmp_path):
    records = StageRecords(RunPaths(tmp_path))
    assert records.read() == {} and not records.is_done("train") and records.sources == {}
