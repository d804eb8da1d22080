"""The page of all commands says what is true now."""

from __future__ import annotations

from pathlib import Path

from typer.main import get_command

from duonas.cli.app import app
from duonas.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "python -m duonas.cli.reference > docs/reference/commands.md"
    )


def test_every_option_is_on_it_and_explained():
    sections = dict(part.split("\n", 1) for part in reference().split("\n## ")[1:])
    group = get_command(app)
    named = {f"duonas {name}": command for name, command in group.commands.items()}
    device = named.pop("duonas device")
    named |= {f"duonas device {name}": command for name, command in device.commands.items()}
    assert sections.keys() == named.keys()
    for name, command in named.items():
        rows = [row.split(" | ") for row in sections[name].splitlines() if row.startswith("| `")]
        assert len(rows) == len(command.params), name
        assert all(len(row[1].strip()) > 3 for row in rows), name


def test_no_markup_of_the_terminal_is_left():
    assert not any(mark in reference() for mark in ("[dim]", "[/dim]", "[bold]", "[/bold]"))
