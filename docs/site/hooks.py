"""What mkdocs is told beside ``mkdocs.yml``: pages and files outside of docs/, so that links work as in the repository.

A link between files of the repository, such as ``../../benchmarks/DATE-NAME/README.md``, is followed to the file that
it names, and written as the way between the two pages of the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from os.path import normpath, relpath
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = "docs/"
ELSEWHERE = ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")
FINDINGS = "benchmarks/*/README.md"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"https?:|<link\b[^>]*\bhref=\"https?:")


def on_config(config: Any) -> Any:
    """Add the benchmarks to the navigation, the newest first, one section a day."""
    days: dict[str, list[str]] = {}
    for page in sorted(outside()[len(ELSEWHERE) :], reverse=True):
        days.setdefault(page.split("/")[1][:10], []).append(page)
    sections = [{day: pages} for day, pages in days.items()]
    config.nav.insert(-1, {"Benchmarks": [{"Questions and findings": ELSEWHERE[-1]}, *sections]})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages outside of docs/, and every file that a page links to."""
    from mkdocs.structure.files import File

    pages = [*outside(), *(place(page) for page in files.documentation_pages())]
    linked = {target for page in pages for target in links(page)}
    for path in sorted({*outside(), *linked}):
        if files.get_file_from_path(at(path)) is None and (ROOT / path).is_file():
            files.append(File.generated(config, at(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Write the links of a page as those of the site."""
    return relinked(markdown, place(page.file))


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Fail where a page would fetch something from elsewhere."""
    if found := FETCHED.search(output):
        raise ValueError(f"{page.file.src_uri} fetches something from elsewhere: {found[0]}")
    return output


def outside() -> list[str]:
    """The pages outside of docs/, as paths from the root."""
    return [*ELSEWHERE, *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(FINDINGS))]


def place(file: Any) -> str:
    """Where a file of the site is in the repository."""
    return Path(file.abs_src_path).relative_to(ROOT).as_posix()


def at(path: str) -> str:
    """Where a file of the repository is among the sources of the site."""
    return path.removeprefix(DOCS)


def links(page: str) -> Iterator[str]:
    """The files of the repository that a page links to."""
    for found in LINK.finditer((ROOT / page).read_text(encoding="utf-8")):
        yield target(page, found[1])


def target(page: str, link: str) -> str:
    """The path from the root of what a page of the repository links to."""
    return normpath(f"{page}/../{link}").replace("\\", "/")


def relinked(markdown: str, page: str) -> str:
    """A page's Markdown with links from where it is on the site to where the linked files are there."""
    here = str(Path(at(page)).parent)
    return LINK.sub(lambda found: relpath(at(target(page, found[1])), here).replace("\\", "/"), markdown)
