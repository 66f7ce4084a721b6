"""Pages that say what the code says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from click.testing import CliRunner

from hpcvirt.tui.commands import app

ROOT = Path(__file__).parents[1]


def test_the_schema_page_is_the_schema() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "schema.py"))["text"]()
    assert (ROOT / "docs" / "schema.md").read_text() == page, "python docs/schema.py > docs/schema.md"


def test_every_command_and_only_those_are_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    table = re.search(r"## Without a screen\n(.*?)\n## ", readme, re.DOTALL)
    assert table is not None
    named = set(re.findall(r"^hpcvirt-tui ([a-z-]+)", table.group(1), re.MULTILINE))
    known = {name for name, command in app.commands.items() if not command.hidden}
    assert named == known


def test_every_command_has_help() -> None:
    for name, command in app.commands.items():
        shown = CliRunner().invoke(app, [name, "--help"])
        assert shown.exit_code == 0, name
        assert command.help, name


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
