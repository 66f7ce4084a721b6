"""Opening the screen on what was named on the command line."""

from __future__ import annotations

from pathlib import Path


def open_screen(what: str | None) -> int:
    """Open the screen on a campaign, a database, or (None) the chooser; the exit code.

    Raises UsageWrong when ``what`` is neither, ScreenUnsuited when the terminal cannot show it.
    """
    from hpcvirt.tui.terminal import check_terminal

    check_terminal()  # before Textual is imported: the answer is there at once
    campaign, database = _meant(what)
    from hpcvirt.tui.app import run_screen

    return run_screen(campaign, database)


def _meant(what: str | None) -> tuple[Path | None, Path | None]:
    from hpcvirt.tui.launch import campaign_path, is_database

    if what is None:
        return None, None
    if is_database(Path(what)):
        return None, Path(what)
    return campaign_path(what), None
