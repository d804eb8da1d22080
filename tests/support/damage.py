"""Damaged files: JSON values and texts as a disk, an editor or another version may leave them."""

from __future__ import annotations

import json
from copy import deepcopy

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from([99, -1, 0, 10**30, "inf", "nan", "../../x", "/etc/passwd", "a.py:A", "\ud800", "x" * 300]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def places(value, path=()):
    """The paths to all values inside a JSON value."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield from places(each, (*path, key))


@st.composite
def damaged(draw, value):
    """A JSON value with one to three places replaced, removed or added to."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(list(places(value)))) or (None,)
        if last is None:
            value = draw(VALUES)
            continue
        holder = value
        for key in path:
            holder = holder[key]
        act = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if act == "remove":
            del holder[last]
        elif act == "add" and isinstance(holder[last], dict):
            holder[last][draw(st.text(max_size=5))] = draw(VALUES)
        elif act == "add" and isinstance(holder[last], list):
            holder[last].append(draw(VALUES))
        else:
            holder[last] = draw(VALUES)
    return value


@st.composite
def damaged_bytes(draw, value):
    """The file of a damaged JSON value, sometimes cut short, or with bytes that are no text."""
    data = json.dumps(draw(damaged(value))).encode()
    how = draw(st.sampled_from(["whole"] * 8 + ["cut", "bytes", "deep", "empty"]))
    if how == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if how == "bytes":
        at = draw(st.integers(0, len(data)))
        return data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:]
    return {"whole": data, "deep": b"[" * 20_000, "empty": b""}[how]
