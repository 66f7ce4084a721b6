"""What the operator wants of the screen: a small TOML file in the XDG configuration folder."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hpcvirt.core.text import clean_line
from hpcvirt.tui import keys

KEY = re.compile(r"[a-zA-Z0-9_+]+|[^\w\s,]")
"""As Textual writes keys (``ctrl+x``, ``f5``, ``question_mark``), or one character."""


class Notify(StrEnum):
    """How the end of a campaign, or a failure, is called out."""

    OFF = "off"
    BELL = "bell"
    TERMINAL = "terminal"
    """By the terminal, on the desktop (OSC 9), and the bell."""


@dataclass(frozen=True, slots=True)
class Settings:
    """As the file says, less what is wrong in it."""

    notify: Notify = Notify.OFF
    keys: Mapping[str, str] = field(default_factory=dict)
    """By the id of an action: its keys, by comma."""
    problems: tuple[str, ...] = ()
    """What is wrong in the file, a sentence each."""


def settings_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the operator writes it."""
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "hpcvirt-tui" / "settings.toml"


def read_settings(path: Path) -> Settings:
    """The settings; where there is no file, those of the house."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        return Settings(problems=(f"{path}: {clean_line(str(error))}",))
    import tomllib  # most have no such file, and the first paint waits for this

    try:
        return _checked(tomllib.loads(text), path.name)
    except (ValueError, RecursionError) as error:
        return Settings(problems=(f"{path.name}: {clean_line(str(error))}",))


def _checked(table: Mapping[str, Any], where: str) -> Settings:
    problems = [f"{where}: {name}: no such setting{_meant(name, KNOWN)}" for name in table if name not in KNOWN]
    notify = table.get("notify", "off")
    if notify not in list(Notify):
        problems.append(f"{where}: notify: one of {', '.join(Notify)}, not {clean_line(repr(notify), 40)}")
        notify = Notify.OFF
    wanted = table.get("keys", {})
    if not isinstance(wanted, dict):
        problems.append(f"{where}: keys: a table of actions and keys")
        wanted = {}
    problems += [f"{where}: keys.{fault}" for fault in key_faults(wanted)]
    good = {name: _plain(key) for name, key in wanted.items() if not list(key_faults({name: key}))}
    return Settings(Notify(notify), {} if any(key_faults(good)) else good, tuple(problems))


KNOWN = ("notify", "keys")


def key_faults(wanted: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with keys that somebody wants."""
    for name, key in wanted.items():
        if name not in keys.IDS:
            yield f"{clean_line(name, 40)}: no such action{_meant(name, keys.IDS)}"
        elif not isinstance(key, str) or not all(KEY.fullmatch(one.strip()) for one in key.split(",")):
            yield f'{name}: a key, or several by comma, as in "ctrl+x,f5"'
    good = {name: _plain(key) for name, key in wanted.items() if name in keys.IDS and isinstance(key, str)}
    yield from keys.clashes(good)


def _plain(key: str) -> str:
    return ",".join(one.strip() for one in key.split(","))


def _meant(name: str, known: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
