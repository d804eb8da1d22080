"""The routers by the names that recipes give them."""

from __future__ import annotations

from inspect import isabstract
from typing import Any, get_args

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import RouteOptions
from duonas.core.plugin import is_own, load_own
from duonas.routing.router import Position, Router
from duonas.routing.routers.confidence import Confidence
from duonas.routing.routers.difficulty import Difficulty
from duonas.routing.routers.learned import Learned
from duonas.routing.routers.random import Random
from duonas.routing.routers.window import Window

ROUTERS: dict[str, type[Router]] = {each.name: each for each in (Confidence, Learned, Difficulty, Window, Random)}


def make_router(options: RouteOptions) -> Router:
    """The router that the ``[route]`` table asks for, not fitted yet.

    Raises:
        DuonasError: no such router, or a position or score that it does not have.
    """
    return find_router(options.router).from_options(options)


def find_router(name: str) -> type[Router]:
    """A shipped router by its name, or the one that ``path/to/file.py:NAME`` holds.

    Raises:
        DuonasError: there is none.
    """
    if is_own(name):
        return _own(name)
    if name == "oracle":
        raise DuonasError(
            "[route] router 'oracle' goes by the labels, so it can be measured (every run is, against it) but not "
            f"deployed: choose from {', '.join(ROUTERS)}, or name your own as file.py:NAME."
        )
    if name not in ROUTERS:
        raise DuonasError(f"no router {name!r}: {nearest(name, ROUTERS)}, or name your own as file.py:NAME.")
    return ROUTERS[name]


def _own(name: str) -> type[Router]:
    found = load_own(name, "[route] router")
    if not (isinstance(found, type) and issubclass(found, Router)):
        raise DuonasError(f"[route] router {name}: {name.rpartition(':')[2]} is not a subclass of Router.")
    if isabstract(found):
        raise DuonasError(f"[route] router {name}: it has no method judge, from (N, D) to scores (N,).")
    positions, known = getattr(found, "positions", ()), get_args(Position)
    if not isinstance(positions, tuple) or not positions or set(positions) - set(known):
        raise DuonasError(f"[route] router {name}: positions must be a tuple of {', '.join(known)}, got {positions!r}.")
    if found.__module__.startswith("duonas."):  # imported there: the shipped one keeps its own name
        found = type(found.__name__, (found,), {})
    found.name = name  # so that the policy names the file, where it is found again
    return found


def read_router(value: Any) -> Router:
    """The router that ``write_router`` described."""
    rest = {key: each for key, each in value.items() if key not in ("kind", "position")}
    return find_router(value["kind"]).from_json(rest, value["position"])


def write_router(router: Router) -> dict[str, Any]:
    """A fitted router as JSON."""
    return {"kind": router.name, "position": router.position, **router.to_json()}
