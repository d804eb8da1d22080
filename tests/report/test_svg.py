"""The elements of drawings."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st

from duonas.report.svg import canvas, path, tag


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"])))
def test_whatever_text_stays_text(text: str) -> None:
    element = ElementTree.fromstring(tag("g", text, tip=text, class_="a"))
    (title,) = element
    assert (title.tag, title.text or "", title.tail or "") == ("title", text, text) and element.attrib == {"class": "a"}


def test_a_drawing_has_a_name_for_screen_readers_that_no_hovering_shows() -> None:
    element = ElementTree.fromstring(canvas(20, 10, 'a "b"', path([(1, 2), (3, 4.5)], "routed")))
    assert element.attrib["aria-label"] == 'a "b"' and element.attrib["role"] == "img"
    assert [each.attrib["d"] for each in element] == ["M1.0 2.0L3.0 4.5"]
