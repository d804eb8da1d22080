"""Read recipes: shipped ones by name, TOML files, and recipes of runs, with the overrides of ``--set``."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import as_path
from duonas.core.plugin import check_plugin, is_plugin, parts_of_run
from duonas.data.source_of import source_of
from duonas.recipe import own_images
from duonas.recipe.errors import Mistake
from duonas.recipe.locations import rebased
from duonas.recipe.origin import STAGES_FILE, run_parts
from duonas.recipe.schema import TABLES, Recipe, checked, joining, to_tables
from duonas.recipe.tables import inner_tables, known_keys, spelled_out_inside
from duonas.routing.options import TARGETS

TARGET_KEYS = (*TARGETS, "budget_in_search")


def _to_nobody(sentence: str) -> None:
    """The note that nobody reads."""


def load(
    recipe: str | Path,
    overrides: Iterable[str] = (),
    *,
    images: str | Path | None = None,
    minutes: float | str | None = None,
    new: bool = False,
    note: Callable[[str], object] = _to_nobody,
) -> Recipe:
    """Read a shipped recipe by name, a TOML file, or the recipe of an existing run.

    Args:
        recipe: such as ``"quickstart"``, ``"mine.toml"`` or ``"runs/quickstart"``.
        overrides: ``"table.key=value"``, the value as in TOML (text needs no quotes); an empty one removes the key. A
            target of the threshold, such as ``route.floor``, replaces the file's; another part, such as ``train.rule``,
            also removes the keys of the file's part.
        images: a folder with a subfolder of images per class, or a table, to read in place of the recipe's images.
        minutes: that a whole run may take, in place of the recipe's; see ``[budget]``.
        new: whether a run's recipe is read for a new run, so that the user's own parts may have been edited since.
        note: called with a sentence where a recipe was chosen by the size of the images.

    Relative paths are relative to the current directory; those of a run's recipe to the folder where the run began.

    Raises:
        DuonasError: there is no such recipe, or a key or value in it or in an override is wrong; or the run does not
            know a part of the user's own as it is now.
    """
    path, overrides = find(recipe), [*_given(images, minutes), *_texts(overrides)]
    tables = read_tables(path, "recipe")
    if stands_for_several(path):
        path, why = _chosen(tables, overrides)
        tables = read_tables(path, "recipe")
        note(f"recipe {path.stem}: {why}.")
    if not tables:
        raise DuonasError(f'recipe {path} is empty: it needs at least [data] name, such as "digits".')
    if not os.path.exists(path.parent / STAGES_FILE):
        return assemble(tables, overrides, f"recipe {path.name}")
    source = f"recipe {path.name}"
    if not overrides:  # a run writes its recipe itself
        reasons = "another version of duonas made it, its recipe was edited, or a file is missing"
        source = f"{recipe} cannot be continued ({reasons})"
    parts = run_parts(path.parent, lambda name: new or any(name in text for text in overrides))
    with parts_of_run(parts):
        for name in filter(is_plugin, () if overrides or new else parts.hashes):
            check_plugin(name)
        given = [".".join(_path(text)) for text in overrides]
        return rebased(assemble(tables, overrides, source), parts.folders, given)


def stands_for_several(path: Path) -> bool:
    """Whether a recipe is the shipped one that stands for several, of which one is taken by the size of the images."""
    return path == _shipped_folder() / f"{own_images.NAME}.toml"


def _chosen(tables: Mapping[str, Any], overrides: Sequence[str]) -> tuple[Path, str]:
    """Return the recipe for images of the size that the user has, and why it is this one."""
    known = overridden(tables, [text for text in overrides if _path(text)[0] in ("data", "train")])
    train = known.get("train")
    gpu = isinstance(train, dict) and train.get("accelerator") in ("cuda", "mps")
    try:
        name, why = own_images.choose(known.get("data", {}), gpu=gpu)
    except Mistake as error:
        raise DuonasError(f"{_culprit(error, overrides) or f'recipe {own_images.NAME}.toml'}: {error}") from error
    return _shipped_folder() / f"{name}.toml", why


def _given(images: str | Path | None, minutes: float | str | None) -> list[str]:
    """Return the overrides that stand for images and minutes."""
    given = []
    if images is not None:
        given += [f"data.name={source_of(str(images), '--images')}", f"data.path={quoted(str(images))}"]
    return [*given, *([] if minutes is None else [f"budget.minutes={minutes}"])]


def quoted(text: str) -> str:
    """A text in TOML, which unlike JSON knows no pairs of escapes for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_tables(path: Path, kind: str) -> dict[str, Any]:
    """Read the tables of a TOML file; ``kind`` is ``recipe`` or ``study``, for messages.

    Raises:
        DuonasError: the file cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DuonasError(f"{kind} {path} is not a text file in UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise DuonasError(f"{kind} {path} is not valid TOML: {error}.") from error
    except RecursionError as error:
        raise DuonasError(f"{kind} {path} has too deeply nested tables.") from error
    except FileNotFoundError as error:
        raise DuonasError(f"there is no {kind} file {path}.") from error
    except OSError as error:
        raise DuonasError(f"{kind} {path} cannot be read: {error.strerror or error}.") from error


def assemble(tables: Mapping[str, Any], overrides: Sequence[str], source: str) -> Recipe:
    """Return the recipe of tables and overrides.

    Args:
        tables: tables of a file.
        overrides: ``"table.key=value"``, as in ``load``.
        source: origin of the tables, for messages.

    Raises:
        DuonasError: a key or value is wrong; the message names the last override of that key, or else the source.
    """
    try:
        return checked(overridden(tables, overrides))
    except Mistake as error:
        raise DuonasError(f"{_culprit(error, overrides) or source}: {error}") from error


def overridden(tables: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of the tables with ``"table.key=value"`` overrides; an empty value removes the key.

    Raises:
        DuonasError: an override cannot be read.
    """
    return changed(tables, [Change(_path(text), _value(text), f"--set {text!r}") for text in overrides])


def changed(tables: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Return a copy of the tables with changes.

    A target of the threshold replaces another one, and the options of a part are removed with the part.

    Raises:
        DuonasError: a change leads into a value that is not a table.
    """
    before = _spelled_out(tables)
    after = deepcopy(before)
    given = {".".join(change.path) for change in changes}
    _make_way(after, given)
    for change in changes:
        change.put_into(after)
        after = _spelled_out(after)
    _drop_strays(before, after, given)
    return after


@dataclass(frozen=True)
class Change:
    """A new value of a key.

    Args:
        path: keys that lead to it, such as ``["train", "epochs"]``.
        value: the value, or ``None`` to remove the key.
        called: name of the change in messages.
    """

    path: Sequence[str]
    value: Any
    called: str

    def put_into(self, tables: dict[str, Any]) -> None:
        """Change the tables in place.

        Raises:
            DuonasError: a key on the path is a value.
        """
        *parents, key = self.path
        for parent in parents:
            tables = tables.setdefault(parent, {})
            if not isinstance(tables, dict):
                raise DuonasError(f"cannot read {self.called}: {parent!r} is a value, not a table.")
        if self.value is None:
            tables.pop(key, None)
        else:
            tables[key] = self.value


def _make_way(tables: dict[str, Any], given: Iterable[str]) -> None:
    """Remove the target of the threshold if another one is given, and steps if epochs are: there can be only one."""
    for name in ("train", "finetune", "baselines"):
        table = tables.get(name)
        if isinstance(table, dict) and f"{name}.epochs" in given and f"{name}.steps" not in given:
            table.pop("steps", None)
    route = tables.get("route")
    if isinstance(route, dict) and any(f"route.{target}" in given for target in TARGETS):
        for key in TARGET_KEYS:
            route.pop(key, None)


def _drop_strays(before: Mapping[str, Any], after: dict[str, Any], given: Iterable[str]) -> None:
    """Remove the keys of parts that a change replaced.

    Args:
        before: the tables before the change, with inner tables spelled out.
        after: the tables after the change; changed in place.
        given: keys of the change, such as ``train.rule``, which stay, so that wrong ones are reported.
    """
    routers_changed = before.get("search") != after.get("search")
    for name, base in TABLES.items():
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, dict) and (old != new or (name == "route" and routers_changed)):
            known = known_keys(base, old, name, joining(name, before))
            _drop(new, known - known_keys(base, new, name, joining(name, after)), name, given)
            for key, inner in inner_tables(base).items():
                if isinstance(old.get(key), Mapping) and isinstance(new.get(key), dict):
                    place = f"{name}.{key}"
                    _drop(
                        new[key], known_keys(inner, old[key], place) - known_keys(inner, new[key], place), place, given
                    )


def _drop(table: dict[str, Any], strays: set[str], where: str, given: Iterable[str]) -> None:
    for key in strays & table.keys():
        if not any(each == f"{where}.{key}" or each.startswith(f"{where}.{key}.") for each in given):
            del table[key]


def dumps(recipe: Recipe) -> str:
    """Return the recipe as TOML with all defaults; ``load`` reads it back as an equal recipe."""
    return tomli_w.dumps(to_tables(recipe))


def shipped() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(path.stem for path in _shipped_folder().iterdir() if path.suffix == ".toml")


def headline(name: str) -> str:
    """Return the first line of a shipped recipe, which describes it."""
    first = (_shipped_folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
    return first.removeprefix("#").strip()


def find(recipe: str | Path) -> Path:
    """Return the file that ``load`` reads.

    Raises:
        DuonasError: there is no such recipe.
    """
    path = as_path(recipe, "a recipe")
    name = str(recipe)
    try:
        file, folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):  # too long for a file name
        file = folder = False
    if path.suffix == ".toml":
        if not file:
            raise DuonasError(f"there is no recipe file {_short(name)}.")
        return path
    if name in shipped():
        return _shipped_folder() / f"{name}.toml"
    if folder:
        if not (path / "recipe.toml").is_file():
            raise DuonasError(f"folder {name} is not a run: it holds no recipe.toml.")
        return path / "recipe.toml"
    if len(path.parts) > 1:
        raise DuonasError(f"there is no run in {_short(name)}: the folder does not exist.")
    hint = nearest(name, shipped())
    raise DuonasError(f"there is no recipe {_short(name)!r}: {hint} (or give a .toml file or a run's folder).")


def run_or_recipe(name: str) -> str:
    """Return what means the run in the current folder where a shipped recipe has its name, too; else the name itself.

    ``find`` and ``load`` take a shipped recipe first; this is for commands that look at a run.
    """
    both = name in shipped() and all(Path(name, file).is_file() for file in ("recipe.toml", STAGES_FILE))
    return os.path.join(os.curdir, name) if both else name


def default_folder(recipe: str | Path) -> Path:
    """Return the default folder of a recipe's run: the folder itself for a run, else ``runs/NAME``."""
    path = find(recipe)
    return Path(recipe) if Path(recipe).is_dir() and path.parent == Path(recipe) else Path("runs") / path.stem


def _texts(overrides: Iterable[str]) -> list[str]:
    found = [] if isinstance(overrides, str) else list(overrides)
    if isinstance(overrides, str) or not all(isinstance(text, str) for text in found):
        raise DuonasError(f"overrides must be a list of texts such as ['train.epochs=10'], got {overrides!r:.80}.")
    return found


def _culprit(mistake: Mistake, overrides: Sequence[str]) -> str | None:
    """Return the last override of a key of the mistake, or of a table around or inside it."""
    for text in reversed(overrides):
        path = ".".join(_path(text)) + "."
        if any(path.startswith(f"{key}.") or f"{key}.".startswith(path) for key in mistake.keys):
            return f"--set {text}"
    return None


def _spelled_out(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with inner tables that are given only by name as tables."""
    copy = deepcopy(dict(tables))
    for name, base in TABLES.items():
        if isinstance(copy.get(name), dict):
            copy[name] = spelled_out_inside(base, copy[name])
    return copy


def _path(text: str) -> list[str]:
    path, equals, _ = text.partition("=")
    keys = [part.strip() for part in path.split(".")]
    if not equals or not all(keys):
        raise DuonasError(f"cannot read --set {text!r}: expected table.key=value, such as train.epochs=10.")
    return keys


def _value(text: str) -> Any:
    """Return the value on the right of ``table.key=value``; ``None`` if it is empty."""
    value = text.partition("=")[2].strip()
    try:
        parsed = tomllib.loads(f"value = {value}") if value else {"value": None}
    except (tomllib.TOMLDecodeError, RecursionError):
        return value
    return parsed["value"] if set(parsed) == {"value"} else value


def _short(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:97]}..."


def _shipped_folder() -> Path:
    return Path(str(files("duonas"))) / "recipe" / "shipped"
