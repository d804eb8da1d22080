"""The routers by the names that recipes give them."""

from __future__ import annotations

from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.options import RouteOptions
from duonas.routing.confidence import Confidence
from duonas.routing.router import Router

ROUTERS: dict[str, type[Router]] = {"confidence": Confidence}


def make_router(options: RouteOptions) -> Router:
    """The router that the ``[route]`` table asks for, not fitted yet.

    Raises:
        DuonasError: no such router, or a position or score that it does not have.
    """
    return find_router(options.router).from_options(options)


def find_router(name: str) -> type[Router]:
    """A shipped router by its name."""
    if name not in ROUTERS:
        raise DuonasError(f"no router {name!r}: {nearest(name, ROUTERS)}.")
    return ROUTERS[name]


def read_router(value: Any) -> Router:
    """The router that ``write_router`` described."""
    rest = {key: each for key, each in value.items() if key not in ("kind", "position")}
    return find_router(value["kind"]).from_json(rest, value["position"])


def write_router(router: Router) -> dict[str, Any]:
    """A fitted router as JSON."""
    return {"kind": router.name, "position": router.position, **router.to_json()}
