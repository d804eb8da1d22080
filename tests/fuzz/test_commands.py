"""Whatever stands on the command line or in a recipe, a command ends with 0, 2 or 130 and without a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import tomli_w
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import duonas.pipeline
from duonas.cli.app import app
from duonas.cli.stages import UP_TO
from duonas.core.errors import DuonasError
from duonas.pipeline.profile import profile  # noqa: F401  (imported before it is replaced)
from duonas.recipe.read import load
from duonas.recipe.schema import Recipe, to_tables
from duonas.rundir.folder import RunFolder
from support.damage import damaged

EXAMPLES = 60 * int(os.environ.get("DUONAS_FUZZ", "1"))
COMMANDS = [*(name for name, *_ in UP_TO), "profile", "route", "explain", "compare", "rank", "list", "data", "nothing"]
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "x" * 5000, "runs/none", "~nouser/x", "/dev/null", "/proc/self/mem", "..", "mine.toml", "a\0b",
                     "1e400", "-1", "nan", "90%", "2ms", "2 parsecs", "digits", "run", "[[[", "a.py:A"]),
)  # fmt: skip
KEYS = st.sampled_from(["train.epochs", "route.floor", "search.constraints.params", "data.image_size", "space.name",
                        "search.routers", "export.opset", "space.axes", "data", "train.loss", "x", "a.b"])  # fmt: skip
CHANGES = st.builds("{}={}".format, KEYS, TEXTS)
OPTIONS = st.one_of(
    st.tuples(st.just("--set"), TEXTS | CHANGES),
    st.tuples(st.sampled_from(["--out", "--supernet", "--floor", "--budget", "--share", "--latency", "--energy",
                               "--watts", "--confidence", "--archs", "--table", "--column", "--split", "--role",
                               "--seed", "--nothing"]), TEXTS),
)  # fmt: skip
TABLES = to_tables(Recipe())


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a recipe and a run, in which nothing is trained or profiled."""
    folder = tmp_path_factory.mktemp("home")
    stages = ModuleType("duonas.pipeline.stages")
    stages.run = lambda recipe, out, **_: RunFolder.open(out, recipe).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(sys.modules, "duonas.pipeline.stages", stages)
        patch.setattr(duonas.pipeline, "stages", stages, raising=False)
        for name in ("duonas.cli.tables.profile_tables", "duonas.cli.tables.summary_table"):
            patch.setattr(name, lambda *_: [])
        patch.setattr("duonas.pipeline.profile.profile", lambda recipe: Stub())
        Path("mine.toml").write_text("[train]\nepochs = 2\n")
        RunFolder.open("run", load("digits")).close()
        yield folder


class Stub:
    refusal = None


def ends_well(arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in (0, 2, 130), (arguments, result.output)
    assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
    assert "Traceback" not in result.output


def some(examples):
    return settings(max_examples=examples, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@some(EXAMPLES)
@given(st.sampled_from(COMMANDS), st.lists(TEXTS, max_size=2), st.lists(OPTIONS, max_size=3))
def test_a_command_ends_well(home, command, arguments, options):
    ends_well([command, *arguments, *(each for option in options for each in option)])


def _is_toml(value):
    try:
        return bool(tomli_w.dumps(value).encode())
    except (TypeError, ValueError, AttributeError, RecursionError):
        return False


@some(EXAMPLES)
@given(damaged(TABLES).filter(lambda value: isinstance(value, dict) and _is_toml(value)), st.lists(CHANGES, max_size=2))
def test_a_recipe_is_read_or_refused_in_one_sentence(home, tables, changes):
    Path("damaged.toml").write_bytes(tomli_w.dumps(tables).encode())
    try:
        recipe = load("damaged.toml", changes)
    except DuonasError as error:
        assert len(str(error)) < 1500
    else:
        assert load("damaged.toml", changes) == recipe
    try:
        Recipe(**tables)
    except (DuonasError, TypeError) as error:
        assert not isinstance(error, TypeError) or "unexpected keyword" in str(error) or "keywords must" in str(error)
