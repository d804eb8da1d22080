"""Look into an ONNX file before any runtime does, without the package onnx, and refuse what no bundle has.

An ONNX file can name other files that a runtime would read (external data, contexts of execution providers), and
operations that a library would have to be loaded for. What is read here is the wire format of protocol buffers alone:
weights are stepped over, so that a large file takes no longer than a small one of as many nodes.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from .errors import BundleError

DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft"})  # whose operations come with ONNX Runtime
READS_FILES = frozenset({b"EPContext"})  # operations that name a file in an attribute
REPEATS = frozenset({b"Loop", b"Scan"})  # operations that can go on for ever
DEEPEST = 64  # messages within messages; a graph in a branch of another is three deeper than that
MOST_FIELDS = 500_000  # of all messages; a network of a thousand operations has some ten thousand
LONGEST_NAME = 200  # bytes of a domain or operation that is looked at

# The messages that are looked into, with the fields that hold further ones (onnx.proto).
MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
}
DIMS, EXTERNAL_DATA, DATA_LOCATION = 1, 13, 14  # fields of a tensor
VALUES = frozenset({4, 5, 6, 7, 9, 10, 11})  # fields of a tensor that hold its values
OPERATION, DOMAIN = 4, 7  # fields of a node
FUNCTION, DOMAIN_OF_FUNCTION = 25, 10
VARINT, LENGTH = 0, 2  # kinds of fields; those of a fixed length are 1 and 5
FIXED = {1: 8, 5: 4}  # bytes
# Runtimes pass over a field of another kind, and go by one before it: it would hide what that one says.
KINDS = {
    ("node", OPERATION): (LENGTH,),
    ("node", DOMAIN): (LENGTH,),
    ("tensor", DIMS): (VARINT, LENGTH),
    ("tensor", DATA_LOCATION): (VARINT,),
}


class Field(NamedTuple):
    """A field of a message: its number, its value if it is a number, and where its content begins and ends."""

    number: int
    kind: int
    value: int
    start: int
    end: int


def check_onnx(path: Path, file: BufferedReader) -> None:
    """Refuse an ONNX file that would have a runtime read other files or load other code, or that is damaged.

    Args:
        path: of the file, for messages.
        file: the open file.

    Raises:
        BundleError: it is no ONNX file, or has external data, operations that do not come with ONNX Runtime or may
            never end, a tensor that is larger than its values, or graphs nested too deeply.
    """
    try:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            objection = _Scan(data).objection()
    except (ValueError, IndexError, OSError) as error:
        raise BundleError(f"{path} is damaged: it is no ONNX file.") from error
    if objection:
        raise BundleError(f"{path} is not used: {objection}.")


class _Scan:
    """Looks through the messages of a file.

    Args:
        data: the file.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.fields = data, 0
        self.own = {self._domain(each) for each in self._fields(0, len(data)) if each.number == FUNCTION}

    def objection(self) -> str:
        """Why the file is not used; empty if it may be.

        Raises:
            ValueError, IndexError: it is no file of this format.
        """
        graphs, waiting = 0, [("model", 0, len(self.data), 0)]
        while waiting:
            kind, start, end, depth = waiting.pop()
            if depth > DEEPEST:
                return "its graphs are nested too deeply"
            inside, fields = MESSAGES[kind], list(self._fields(start, end))
            graphs += kind == "graph"
            if any(each.kind not in KINDS.get((kind, each.number), (each.kind,)) for each in fields):
                raise ValueError("a field is of another kind, which runtimes pass over")
            if found := self._looked_at(kind, fields):
                return found
            for each in fields:
                if each.number in inside:
                    if each.kind != LENGTH:
                        raise ValueError("a message is a number")
                    waiting.append((inside[each.number], each.start, each.end, depth + 1))
        if not graphs:
            raise ValueError("there is no graph")
        return ""

    def _looked_at(self, kind: str, fields: list[Field]) -> str:
        if kind == "tensor":
            return self._tensor(fields)
        if kind == "node":
            named = {each.number: self._text(each) for each in fields if each.number in (OPERATION, DOMAIN)}
            operation, domain = named.get(OPERATION, b""), named.get(DOMAIN, b"")
            if domain not in DOMAINS | self.own:
                return f"the operation {_shown(operation)} of {_shown(domain)} does not come with ONNX Runtime"
            if operation in READS_FILES:
                return f"the operation {_shown(operation)} reads another file"
            if operation in REPEATS:
                return f"the operation {_shown(operation)} may never end"
        return ""

    def _tensor(self, fields: list[Field]) -> str:
        elements, held = 1, 0
        for each in fields:
            if each.number == EXTERNAL_DATA or (each.number == DATA_LOCATION and each.value):
                return "it has external data, but a bundle's weights are in its files"
            if each.number == DIMS:
                for side in [each.value] if each.kind == VARINT else self._numbers(each):
                    elements *= side
            if each.number in VALUES:
                held += 8 if each.kind != LENGTH else each.end - each.start
        # Four bits are the least that an element takes. A negative side is written as one of more than 2 ** 63.
        return "one of its tensors is larger than its values" if elements > 2 * held else ""

    def _domain(self, function: Field) -> bytes:
        return next((self._text(each) for each in self._fields(function.start, function.end)
                     if each.number == DOMAIN_OF_FUNCTION), b"")  # fmt: skip

    def _text(self, field: Field) -> bytes:
        return self.data[field.start : min(field.end, field.start + LONGEST_NAME)]

    def _numbers(self, field: Field) -> Iterator[int]:
        place = field.start
        while place < field.end:
            value, place = self._varint(place, field.end)
            yield value

    def _fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message between two places."""
        place = start
        while place < end:
            key, place = self._varint(place, end)
            number, kind, value, first = key >> 3, key & 7, 0, place
            if kind == VARINT:
                value, place = self._varint(place, end)
            elif kind == LENGTH:
                size, first = self._varint(place, end)
                place = first + size
            else:
                place += FIXED.get(kind, end)  # of another kind there is none: behind the end
            self.fields += 1
            if place > end or not number or self.fields > MOST_FIELDS:
                raise ValueError("a field ends behind its message, or there are too many")
            yield Field(number, kind, value, first, place)

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if place >= end:
                raise ValueError("a number is cut off")
            byte = self.data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, place
        raise ValueError("a number has no end")


def _shown(name: bytes) -> str:
    return repr(name[:60].decode("utf-8", "replace"))
