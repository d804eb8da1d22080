"""The routers that a search may choose from."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.errors import DuonasError
from duonas.core.options import RouteOptions, SearchOptions
from duonas.routing.confidence import BEST, Confidence
from duonas.routing.router import Position, Router
from duonas.routing.routers import find_router, make_router


def make_routers(search: SearchOptions, route: RouteOptions) -> tuple[Router, ...]:
    """The routers of ``[search] routers``, else that of ``[route]``, not fitted; the rest as ``[route]`` says.

    Raises:
        DuonasError: no such router or position, or the same one twice.
    """
    parsed = map(_parsed, search.routers)
    tables = [replace(route, router=kind, position=position) for kind, position in parsed] or [route]
    routers = tuple(_judging(make_router(table)) for table in tables)
    stands = [(router.name, router.position) for router in routers]
    for name, position in stands:
        if stands.count((name, position)) > 1:
            raise DuonasError(f"[search] routers names {name}@{position} twice.")
    return routers


def _parsed(text: str) -> tuple[str, Position]:
    """``kind@position``, or ``kind`` where it stands by default."""
    kind, at, position = text.rpartition("@") if "@" in text else (text, "", "")
    try:
        found = find_router(kind)
    except DuonasError as error:
        raise DuonasError(f"[search] routers has {text!r}: {error}") from error
    for possible in found.positions:
        if position == possible or not at:
            return kind, possible
    raise DuonasError(
        f"[search] routers has {text!r}: {kind!r} cannot stand at {position!r}; "
        f"choose from {', '.join(f'{kind}@{possible}' for possible in found.positions)}."
    )


def _judging(router: Router) -> Router:
    """A confidence is not fitted in the search, so that its best score is not known there: margin stands in."""
    return replace(router, function="margin") if isinstance(router, Confidence) and router.function == BEST else router
