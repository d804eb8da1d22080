"""The site has every page, and its links are those of the repository."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import duonas

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site():
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "site" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages(nav):
    for entry in nav:
        for inner in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [inner] if isinstance(inner, str) else pages(inner)


def test_every_page_is_in_the_navigation_once(site, hooks):
    ours = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    others = [page for page in hooks.ELSEWHERE if not page.startswith("benchmarks/")]
    assert sorted(pages(site["nav"])) == sorted([*ours, *others])


def test_the_first_page_leads_to_every_other(hooks):
    assert {hooks.at(target) for target in hooks.links("docs/README.md")} >= {
        path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if path != DOCS / "README.md"
    }


def test_every_benchmark_is_in_the_navigation(hooks):
    config = SimpleNamespace(nav=[{"Start": "README.md"}, {"Project": []}])
    (benchmarks,) = [entry["Benchmarks"] for entry in hooks.on_config(config).nav if "Benchmarks" in entry]
    found = list(pages(benchmarks))
    assert found[0] == "benchmarks/README.md"
    assert sorted(found[1:]) == sorted(
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("benchmarks/*/README.md")
    )


@pytest.mark.parametrize(
    ("page", "link", "written"),
    [
        ("docs/using/a.md", "b.md", "b.md"),
        ("docs/using/a.md", "../parts/b.md#c", "../parts/b.md#c"),
        ("docs/using/a.md", "../../benchmarks/d/README.md", "../benchmarks/d/README.md"),
        ("docs/README.md", "../CONTRIBUTING.md", "CONTRIBUTING.md"),
        ("benchmarks/README.md", "../docs/parts/b.md", "../parts/b.md"),
        ("benchmarks/d/README.md", "log.txt", "log.txt"),
        ("CHANGELOG.md", "docs/using/a.md", "using/a.md"),
        ("docs/using/a.md", "#c", "#c"),
        ("docs/using/a.md", "https://example.org/a.md", "https://example.org/a.md"),
    ],
)
def test_a_link_leads_on_the_site_where_it_leads_in_the_repository(hooks, page, link, written):
    assert hooks.relinked(f"see [this]({link}).", page) == f"see [this]({written})."


@pytest.mark.parametrize(
    ("html", "refused"),
    [
        ('<script src="https://example.org/a.js">', True),
        ('<link href="https://example.org/a.css" rel="stylesheet">', True),
        ('<img alt="" src="http://example.org/a.png">', True),
        ('<a href="https://example.org">', False),
        ('<script src="../assets/a.js">', False),
    ],
)
def test_a_page_that_fetches_something_from_elsewhere_is_refused(hooks, html, refused):
    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))
    if refused:
        with pytest.raises(ValueError, match=r"a\.md fetches something from elsewhere"):
            hooks.on_post_page(html, page)
    else:
        assert hooks.on_post_page(html, page) == html


def test_the_reference_has_every_name_of_the_package():
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: duonas\.(\w+)$", text, re.MULTILINE)) == sorted(duonas.__all__)


def test_ci_builds_the_site_strictly():
    assert "pip install -e '.[docs]' && mkdocs build --strict" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
