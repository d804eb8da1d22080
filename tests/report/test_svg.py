"""Scales and elements."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from duonas.report.scale import Scale, span
from duonas.report.svg import frame, path, tag

NUMBERS = st.floats(min_value=-1e9, max_value=1e9)


@given(NUMBERS, st.floats(min_value=1e-6, max_value=1e9), st.integers(min_value=2, max_value=9))
def test_ticks_are_inside_round_and_few(low: float, width: float, most: int) -> None:
    assume(width > 1e-6 * abs(low))
    scale = Scale((low, low + width), (0, 100))
    ticks = scale.ticks(most)
    assert 1 <= len(ticks) <= most + 1 or most < 3
    assert all(low - 1e-6 * width <= value <= low + width * (1 + 1e-6) for value in ticks)
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0]) if len(ticks) > 1 else True


def test_a_scale_maps_linearly_and_clamps() -> None:
    scale = Scale((10, 20), (300, 100))
    assert [scale(10), scale(15), scale(20), scale(99), scale(-99)] == [300, 200, 100, 100, 300]
    assert scale.holds(20) and not scale.holds(20.1)


@given(st.lists(st.one_of(NUMBERS, st.just(float("nan")), st.just(float("inf"))), max_size=8))
def test_a_span_holds_what_is_finite_and_is_never_empty(values: list[float]) -> None:
    low, high = span(values)
    assert low < high
    assert all(low <= value <= high for value in values if np.isfinite(value))


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"])))
def test_whatever_text_stays_text(text: str) -> None:
    element = ElementTree.fromstring(tag("g", text, tip=text, class_="a"))
    assert (element.text or "") == text
    assert element.attrib == {"data-tip": text, "class": "a"} and len(element) == 0


def test_hover_strips_cover_the_whole_plot_without_gaps() -> None:
    plot = frame(400, 300, (0, 10), (0, 1))
    strips = ElementTree.fromstring(tag("g", plot.strips([1, 2, 7], [[(0.5, "routed")]] * 3, ["a", "b", "c"])))
    edges = [(float(rect.attrib["x"]), float(rect.attrib["width"])) for rect in strips.iter("rect")]
    assert edges[0][0] == plot.x.pixels[0]
    assert [round(x + w, 1) for x, w in edges] == [round(x, 1) for x, _ in edges[1:]] + [plot.x.pixels[1]]


def test_a_path_goes_through_its_points() -> None:
    assert 'd="M1.0 2.0L3.0 4.5"' in path([(1, 2), (3, 4.5)], "routed")
