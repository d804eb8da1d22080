from __future__ import annotations

from duonas.core.text import listed, plural


def test_one_thing_is_singular():
    assert [plural(number, "image") for number in (0, 1, 1234)] == ["0 images", "1 image", "1,234 images"]


def test_of_many_names_the_first_are_listed():
    assert listed(["a", "b"], 2) == "a, b" and listed([], 2) == ""
    assert listed([str(number) for number in range(2000)], 2) == "0, 1 and 1,998 more"
