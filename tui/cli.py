"""Entry point. The screen is opened without loading the commands: its first paint waits for nothing else."""

from __future__ import annotations

import sys
import traceback

from hpcvirt.core.errors import HpcvirtError


def main() -> None:
    """Run the program; errors in a line or two that say what, where and what to do."""
    words = sys.argv[1:]
    debug = words[:1] == ["--debug"]
    try:
        sys.exit(_screen(words) if _opens_screen(words) else _command())
    except KeyboardInterrupt:
        sys.exit(130)
    except HpcvirtError as error:
        if debug:
            traceback.print_exc()
        _tell(error.message, error.hint)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - a fault of ours: no traceback reaches who did not ask for it
        if debug:
            traceback.print_exc()
        told = "report this as a bug, with what `hpcvirt-tui --debug ...` prints"
        _tell(f"unexpected {type(error).__name__}: {error}", told)
        sys.exit(4)


def _tell(message: str, hint: str) -> None:
    print(f"hpcvirt-tui: {message}", *([f"  -> {hint}"] if hint else []), sep="\n", file=sys.stderr)


def _opens_screen(words: list[str]) -> bool:
    """No word, or one that looks like a file: everything else is for the commands to read."""
    return not words or (len(words) == 1 and not words[0].startswith("-") and words[0].endswith((".toml", ".db")))


def _screen(words: list[str]) -> int:
    from hpcvirt.tui.open import open_screen

    return open_screen(words[0] if words else None)


def _command() -> int:
    from click.exceptions import Abort, ClickException, Exit

    from hpcvirt.tui.commands import app

    try:
        app(prog_name="hpcvirt-tui", standalone_mode=False)
    except Abort:
        return 130
    except ClickException as error:
        error.show()
        return error.exit_code
    except Exit as error:
        return error.exit_code
    return 0
