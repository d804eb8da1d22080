"""The routers that a search may choose from."""

from __future__ import annotations

from dataclasses import replace

from duonas.core.errors import DuonasError
from duonas.core.options import RouteOptions, SearchOptions
from duonas.routing.router import Position, Router
from duonas.routing.routers.confidence import BEST, Confidence
from duonas.routing.routers.difficulty import Difficulty
from duonas.routing.routers.learned import Learned
from duonas.routing.routers.make import find_router, make_router


def make_routers(search: SearchOptions, route: RouteOptions) -> tuple[Router, ...]:
    """The routers of ``[search] routers``, not fitted; the rest as ``[route]`` says.

    Without them that of ``[route]``, or where that takes long to fit, a quick one at its position.

    Raises:
        DuonasError: no such router or position, or the same one twice.
    """
    if not search.routers:
        return (_quick(_judging(make_router(route))),)
    parsed = map(_parsed, search.routers)
    tables = [replace(route, router=kind, position=position) for kind, position in parsed]
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


def _quick(router: Router) -> Router:
    """What stands in for the router of ``[route]`` in a search that was not asked to choose routers.

    A network that learns takes seconds for every little. So after little the confidence judges in its place, and before
    little the statistics of what is to be seen there.
    """
    if not isinstance(router, Learned):
        return router
    return Difficulty(position=router.position) if router.before else Confidence()
