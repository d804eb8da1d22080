"""The routers of a search."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.routing.options import RouteOptions
from duonas.routing.router import Position, Router, make_router
from duonas.routing.routers.confidence import BEST, Confidence
from duonas.routing.routers.difficulty import Difficulty
from duonas.routing.routers.learned import Learned
from duonas.search.options import SearchOptions


def make_routers(search: SearchOptions, route: RouteOptions) -> tuple[Router, ...]:
    """Build the routers of ``[search] routers``, not fitted, with the other options of ``[route]``.

    By default there is one router, that of ``[route]``, or a quick substitute if it takes long to fit.

    Raises:
        DuonasError: a router or position does not exist, or a router is named twice.
    """
    if not search.routers:
        return (_quick(_judging(make_router(route))),)
    parsed = map(_parsed, search.routers)
    tables = [replace(route, router=kind, position=position) for kind, position in parsed]
    routers = tuple(_judging(make_router(table)) for table in tables)
    places = [(router.name, router.position) for router in routers]
    for name, position in places:
        if places.count((name, position)) > 1:
            raise DuonasError(f"[search] routers names {name}@{position} twice.")
    return routers


def _parsed(text: str) -> tuple[str, Position]:
    """Parse ``kind@position``, or ``kind`` for its default position."""
    kind, at, position = text.rpartition("@") if "@" in text else (text, "", "")
    try:
        found = find("router", kind)
    except DuonasError as error:
        raise DuonasError(f"[search] routers has {text!r}: {error}") from error
    for possible in found.positions:
        if position == possible or not at:
            return kind, possible
    raise DuonasError(
        f"[search] routers has {text!r}: {kind!r} has no position {position!r}; "
        f"choose from {', '.join(f'{kind}@{possible}' for possible in found.positions)}."
    )


def _judging(router: Router) -> Router:
    # The search does not fit a confidence, which would choose the best score: margin replaces it.
    return replace(router, function="margin") if isinstance(router, Confidence) and router.function == BEST else router


def _quick(router: Router) -> Router:
    """Replace a learned router, whose training takes seconds for every little.

    The substitute is a confidence after little, and the statistics of its input before little.
    """
    if not isinstance(router, Learned):
        return router
    return Difficulty(position=router.position) if router.before else Confidence()
