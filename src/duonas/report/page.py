"""A page: a template put together with style and script inside, so that it is one file and no request leaves it."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files as package_files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup


def render_page(template: str, name: str, **values: Any) -> str:
    """The whole page as text; its content security policy forbids any script but its own.

    Args:
        template: its file beside this one.
        name: what the browser calls the page.
        values: what the template shows.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(asset)
    )
    script = asset("tooltip.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        name=name, style=Markup(asset("style.css")), script=Markup(script), digest=digest, **values
    )


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (package_files("duonas.report") / name).read_text(encoding="utf-8")
