"""Textual's driver for a terminal that may go away in the middle of everything."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from io import TextIOWrapper

    from textual.app import App


class Unbreakable:
    """A file that takes everything, also when nobody reads it any more.

    The first error of a closed terminal would end Textual's writing thread, whose queue then fills up, and the whole
    program would wait for room in it for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write it, if that can be."""
        try:
            return self._file.write(text)
        except (OSError, ValueError):  # hung up, or closed
            return len(text)

    def flush(self) -> None:
        """Send it, if that can be."""
        try:
            self._file.flush()
        except (OSError, ValueError):
            return

    def fileno(self) -> int:
        """The terminal's."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """As the file says."""
        return self._file.isatty()


class PatientDriver(LinuxDriver):
    """Writes to such a file."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._file = cast("TextIOWrapper", Unbreakable(cast("IO[str]", self._file)))
