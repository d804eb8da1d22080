"""Every block of code on every page can be used: Python compiles, TOML has keys that exist, commands parse.

Blocks that can be run here are run, by the tests beside this one.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from duonas.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED = [path.relative_to(ROOT).as_posix() for path in PAGES]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
OWN = {"draws", "erase", "unsure", "doubt", "stages", "first", "root"}  # keys of parts that pages write themselves


def blocks(page, *languages):
    text = (ROOT / page).read_text(encoding="utf-8")
    return [body for _, language, body in BLOCK.findall(text) if language in languages]


@cache
def known():
    """The names of the keys of each table, as the reference has them."""
    page = (ROOT / "docs" / "reference" / "recipe.md").read_text(encoding="utf-8")  # which has a test of its own
    sections = re.split(r"^## `\[(\w+)\]`", page, flags=re.MULTILINE)[1:]
    pairs = zip(sections[::2], sections[1::2], strict=True)
    return {table: {*re.findall(r"^\| `([\w.]+)`", text, re.MULTILINE), *OWN} for table, text in pairs}


def unknown(table, key):
    """Whether no key of a table has this name, nor one of the tables in which it lies, nor a part that it names."""
    parts = key.split(".")
    heads = {".".join(parts[: end + 1]) for end in range(len(parts))}
    return not (heads | {parts[-1], f"{key}.name"}) & known()[table]


def leaves(table, before=""):
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


def strange(recipe):
    """The keys of a recipe, a part of one, or a study that do not exist."""
    recipes = [recipe, *(found for found in [recipe.get("recipe"), *recipe.get("variants", {}).values()] if found)]
    tables = [(table, found) for each in recipes for table, found in each.items() if table in known()]
    return [f"{table}.{key}" for table, found in tables for key in leaves(found) if unknown(table, key)]


def commands(page):
    """The words of each command of duonas in a page's blocks; lines that end in a backslash go on."""
    for block in blocks(page, "", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                if command.strip().startswith("duonas "):
                    yield shlex.split(command, comments=True)[1:]


@pytest.mark.parametrize("page", NAMED)
def test_the_python_of_a_page_compiles(page):
    for block in blocks(page, "python"):
        compile(block, page, "exec")


@pytest.mark.parametrize("page", NAMED)
def test_the_toml_of_a_page_has_keys_that_exist(page):
    assert [key for block in blocks(page, "toml") for key in strange(tomllib.loads(block))] == []


@pytest.mark.parametrize("page", NAMED)
def test_the_commands_of_a_page_parse(page):
    """Each command takes its arguments and options, and what is set by ``--set`` is a key."""
    everything = get_command(app)
    for words in commands(page):
        group, command = everything, None
        while words and words[0] in getattr(group, "commands", {}):
            group = command = group.commands[words.pop(0)]
        assert command is not None or words in (["--help"], ["--version"]), words
        if command is not None and not {"-h", "--help"} & {*words}:
            with command.make_context("duonas", [*words]) as context:
                sets = context.params.get("override") or ()
            for table, _, key in (each.split("=")[0].partition(".") for each in sets):
                assert table in ("seed", "threads") or not unknown(table, key), f"{table}.{key}"


def test_a_wrong_key_is_found():
    assert strange({"train": {"epoch": 3, "epochs": 3}, "variants": {"a": {"finetune": {"mod": "none"}}}}) == [
        "train.epoch",
        "finetune.mod",
    ]
