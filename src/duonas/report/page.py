"""A page: a template put together with styles and scripts inside, so that it is one file and no request leaves it."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files as package_files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from duonas.report import theme

SCRIPTS = ("vega/vega.js", "charts.js")


def render_page(template: str, name: str, **values: Any) -> str:
    """The whole page as text; its content security policy forbids any script but its own, and ``eval``.

    Args:
        template: its file beside this one.
        name: what the browser calls the page.
        values: what the template shows.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(asset)
    )
    compact = {"separators": (",", ":"), "allow_nan": False, "ensure_ascii": False}
    environment.policies["json.dumps_kwargs"] = compact
    scripts = [Markup(asset(each).strip()) for each in SCRIPTS]
    return environment.get_template(template).render(
        name=name, style=Markup(theme.style() + asset("drawing.css") + asset("style.css")), config=theme.CONFIG,
        scripts=scripts,
        digests=" ".join(f"'sha256-{_digest(each)}'" for each in scripts), **values,
    )  # fmt: skip


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (package_files("duonas.report") / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
