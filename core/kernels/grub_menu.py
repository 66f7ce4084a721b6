"""The boot menu as GRUB would show it, read from its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from hpcvirt.core.errors import BootRefused

SEPARATOR = " > "
ARGUMENTS = "hpcvirt_arguments"
CHOICES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu."""

    titles: tuple[str, ...]
    """Of the submenus it is in, and its own."""
    place: str
    """What grub-reboot wants to be told: ids, or titles, by ``>``; of GRUB Legacy the number."""
    takes_arguments: bool = False
    """Whether it hands ``hpcvirt_arguments`` on to its kernel."""

    @property
    def shown(self) -> str:
        """As an operator writes it."""
        return SEPARATOR.join(self.titles)


def parse_grub2(lines: Iterable[str]) -> list[Entry]:
    """Entries of a grub.cfg, or of those of its lines that open or close something or name our arguments."""
    found: list[Entry] = []
    nested: list[tuple[str, str] | None] = []
    inside = -1  # how deep the entry lies that is open; -1: none is
    is_exported = False  # what is not is unknown in a submenu
    for line in lines:
        stripped = line.strip()
        head = _HEAD.match(stripped)
        if head is not None:
            title = _unquoted(head[2])
            named = _ID.search(stripped)
            step = (title, named[1] if named else title.replace(">", ">>"))
            if head[1] == "menuentry":
                steps = [*(outer for outer in nested if outer is not None), step]
                found.append(Entry(tuple(one[0] for one in steps), ">".join(one[1] for one in steps)))
                inside = len(nested)
            if stripped.endswith("{"):
                nested.append(step if head[1] == "submenu" else None)
        elif stripped.endswith("{") and not stripped.startswith("#"):
            nested.append(None)
        elif stripped.startswith("}") and nested:
            nested.pop()
            inside = -1 if len(nested) <= inside else inside
        elif _EXPORT.match(stripped):
            is_exported = True
        elif inside >= 0 and _HANDED_ON.match(stripped):
            found[-1] = replace(found[-1], takes_arguments=is_exported or len(found[-1].titles) == 1)
    return found


_HEAD = re.compile(r"""(menuentry|submenu)\s+('(?:[^']|'\\'')*'|"(?:[^"\\]|\\.)*"|[^\s'"{]+)""")
# Not multiboot: what Xen itself is told no kernel shows.
_HANDED_ON = re.compile(rf"(linux|module)\S*\s[^#]*\b{ARGUMENTS}\b")
_EXPORT = re.compile(rf"export\s[^#]*\b{ARGUMENTS}\b")
_ID = re.compile(r"""(?:\$menuentry_id_option|--id)[ =]+['"]?([^'"\s{]+)""")


def _unquoted(word: str) -> str:
    if word.startswith("'"):
        return word[1:-1].replace("'\\''", "'")
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def parse_grubby(lines: Iterable[str]) -> list[Entry]:
    """Entries from the output of ``grubby --info=ALL``: blocks of ``key="value"``."""
    found: list[Entry] = []
    told: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        told = {} if key == "index" else {**told, key: value.strip('"')}
        if key == "id" and told.get("title"):
            found.append(Entry((told["title"],), told["id"], ARGUMENTS in told.get("args", "")))
    return found


def parse_legacy(lines: Iterable[str]) -> list[Entry]:
    """Entries of GRUB Legacy's menu.lst, told by their number."""
    titles = (match[1] for match in map(_LEGACY_TITLE.match, lines) if match)
    return [Entry((title.strip(),), str(number)) for number, title in enumerate(titles)]


_LEGACY_TITLE = re.compile(r"\s*title\s+(\S.*)")


def find(entries: Sequence[Entry], wanted: str, node: str) -> Entry:
    """The entry that an operator means: by its whole path, by its own title, or by its id.

    Of entries with the same path GRUB boots the first. Raises BootRefused when there is none, or it could be
    several.
    """
    told = _normal(wanted)
    for matches in (
        [entry for entry in entries if _normal(entry.shown) == told],
        [entry for entry in entries if _normal(entry.titles[-1]) == told],
        [entry for entry in entries if wanted in {entry.place, entry.place.split(">")[-1]}],
    ):
        if len({entry.titles for entry in matches}) == 1:
            return matches[0]
        if matches:
            raise BootRefused(
                f"{node}: {len(matches)} entries of its boot menu are called {wanted!r}",
                hint=f"write one with its submenu: {'; '.join(entry.shown for entry in matches[:CHOICES_SHOWN])}",
            )
    raise BootRefused(f"{node}: no entry of its boot menu is called {wanted!r}", hint=_choices(entries, wanted))


def _choices(entries: Sequence[Entry], wanted: str) -> str:
    titles = [entry.titles[-1] for entry in entries]
    near = get_close_matches(wanted, titles, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"it has: {'; '.join(dict.fromkeys(titles[:CHOICES_SHOWN]))}" if titles else "its menu could not be read"


def _normal(path: str) -> str:
    return SEPARATOR.join(" ".join(part.split()) for part in path.split(">"))
