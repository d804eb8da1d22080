"""The registry finds parts by their files, and says in one sentence what is wrong with a user's own."""

from __future__ import annotations

import sys

import pytest

from duonas.core import plugin, registry
from duonas.core.errors import DuonasError
from duonas.core.registry import KINDS, Kind, adapted, find, names, options_of, source_hash, summary

BASE = '''
"""Bases."""
from abc import ABC, abstractmethod
from dataclasses import dataclass
from duonas.core.registry import Part

class Animal(Part, ABC):
    @abstractmethod
    def sound(self): ...
'''
CAT = '''
"""Cats (Felis catus).

More of them.
"""
from dataclasses import dataclass
from base import Animal
from pets.red_dog import RedDog

class Helper:
    pass

class Cat(Animal):
    @dataclass(frozen=True)
    class Options:
        lives: int = 9
    def sound(self):
        return "meow"
'''
DOG = '"""Dogs."""\nfrom base import Animal\nclass RedDog(Animal):\n    def sound(self):\n        return "woof"\n'
OWN = """
from base import Animal
from pets.cat import Cat

class Bird(Animal):
    '''Sings.'''
    def sound(self):
        return "tweet"

class Mute(Animal):
    pass

STONE = 3
"""


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A kind with two shipped parts, and a file of the user's own."""
    (tmp_path / "pets").mkdir()
    for name, text in {
        "base.py": BASE, "pets/__init__.py": "", "pets/cat.py": CAT, "pets/red_dog.py": DOG, "pets/options.py": "",
        "pets/_shared.py": "", "own.py": OWN,
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(KINDS, "pet", Kind("pet", "pets", "base:Animal", "[home] pet", "Lives with you."))
    yield
    for name in ("pets", "pets.cat", "pets.red_dog", "base", "own.py"):
        sys.modules.pop(name, None)
    registry._shipped.cache_clear()
    plugin._module.cache_clear()


def test_a_part_is_one_file_and_nothing_else(pets):
    assert names("pet") == ["cat", "red_dog"]
    assert "pets.cat" not in sys.modules and summary("pet", "cat") == "Cats (Felis catus)"
    assert find("pet", "cat").__name__ == "Cat" and options_of("pet", "cat")().lives == 9
    assert find("pet", "red-dog") is find("pet", "red_dog")
    assert find("pet", "red-dog").name == "red_dog"


def test_an_unknown_name_gets_the_nearest(pets):
    with pytest.raises(DuonasError, match=r"^\[home\] pet has no choice 'catt': did you mean 'cat'\?$"):
        find("pet", "catt")
    with pytest.raises(DuonasError, match=r"no choice 'zzz': expected one of cat, red_dog, or your own as file\.py"):
        find("pet", "zzz")


def test_a_users_own_part_has_its_file_for_a_name(pets):
    bird = find("pet", "own.py:Bird")
    assert bird.name == "own.py:Bird" and bird().sound() == "tweet" and find("pet", "own.py:Bird") is bird
    assert summary("pet", "own.py:Bird") == "Sings"
    assert find("pet", "own.py:Cat") is find("pet", "cat")


def test_an_edited_file_is_another_one(pets, tmp_path):
    before, known = source_hash("own.py:Bird"), find("pet", "own.py:Bird")
    (tmp_path / "own.py").write_text(OWN.replace("tweet", "cheep"))  # as long as before, in the same second
    assert source_hash("own.py:Bird") != before and find("pet", "own.py:Bird") is not known
    assert find("pet", "own.py:Bird")().sound() == "cheep"
    assert source_hash("cat") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py:Bird", r"^\[home\] pet nowhere\.py:Bird: there is no file nowhere\.py\.$"),
        ("own.txt:Bird", r"no choice 'own\.txt:Bird': expected one of cat, red_dog, or your own as file\.py:CLASS"),
        ("own.py:Brid", r"own\.py does not define 'Brid': did you mean 'Bird'\?$"),
        ("own.py:STONE", r"STONE is not a subclass of base\.Animal"),
        ("own.py:Mute", "it does not define sound"),
        ("pets.py:X", "there is no file"),
        ("a\0b.py:X", "cannot be read"),
        ("folder.py:X", "folder.py cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_a_part_is_said(pets, tmp_path, name, message):
    (tmp_path / "own.txt").write_text("")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(DuonasError, match=message) as error:
        find("pet", name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X = (", r"own\.py cannot be loaded: SyntaxError"),
        ("import nothing_of_that_name", r"cannot be loaded: ModuleNotFoundError: .*nothing_of_that"),
        ("import sys\nsys.exit(3)", "cannot be loaded: SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "cannot be loaded: ValueError: two lines"),
        ("raise BaseException", "cannot be loaded: BaseException"),
        ("x = '\0'", "cannot be loaded: (ValueError|SyntaxError)"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(pets, tmp_path, text, message):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(DuonasError, match=message) as error:
        find("pet", "own.py:X")
    assert "\n" not in str(error.value) and "own.py" not in sys.modules


def test_options_are_taken_from_those_of_a_table(pets):
    from dataclasses import make_dataclass

    wide = make_dataclass("Wide", [("lives", int, 7), ("other", int, 1)], frozen=True)()
    assert adapted(wide, options_of("pet", "cat")).lives == 7
    given = options_of("pet", "cat")(3)
    assert adapted(given, options_of("pet", "cat")) is given
