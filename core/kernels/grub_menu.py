"""The boot menu as GRUB would show it, read from its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
    """What grub-reboot wants to be told: ids, or titles, by ``>``; of GRUB Legacy the number. Empty: whatever it was
    told, GRUB would boot another entry."""
    takes_arguments: bool = False
    """Whether it hands ``hpcvirt_arguments`` on to its kernel."""
    id: str = ""
    """Its own id, wherever it lies; empty where it has none."""

    @property
    def shown(self) -> str:
        """As an operator writes it."""
        return SEPARATOR.join(self.titles)


@dataclass(slots=True)
class _Item:
    """A submenu, or an entry, of a grub.cfg."""

    title: str
    id: str = ""
    items: list[_Item] | None = None
    """Of a submenu."""
    hands_on: bool = False

    def is_called(self, name: str) -> bool:
        """Whether GRUB takes it for what it was told."""
        return name in {self.id, _escaped(self.title)}


def parse_grub2(lines: Iterable[str]) -> list[Entry]:
    """Entries of a grub.cfg, or of those of its lines that open or close something or name our arguments."""
    menu: list[_Item] = []
    nested: list[list[_Item] | None] = [menu]  # what each brace that is open holds, if that is a submenu
    inside, depth = _Item(""), -1  # the entry that is open, and how deep it lies; -1: none is
    is_exported = False  # what is not is unknown in a submenu
    for line in lines:
        stripped = line.strip()
        head = _HEAD.match(stripped)
        if head is not None:
            named = _ID.search(stripped)
            item = _Item(_unquoted(head[2]), named[1] if named else "", [] if head[1] == "submenu" else None)
            next(items for items in reversed(nested) if items is not None).append(item)
            if item.items is None:
                inside, depth = item, len(nested)
            if stripped.endswith("{"):
                nested.append(item.items)
        elif stripped.endswith("{") and not stripped.startswith("#"):
            nested.append(None)
        elif stripped.startswith("}") and len(nested) > 1:
            nested.pop()
            depth = -1 if len(nested) <= depth else depth
        elif _EXPORT.match(stripped):
            is_exported = True
        elif depth >= 0 and _HANDED_ON.match(stripped):
            inside.hands_on = True
    return list(_entries(menu, (), (), is_exported))


def _entries(
    items: Sequence[_Item], titles: tuple[str, ...], names: tuple[str, ...], exported: bool
) -> Iterator[Entry]:
    for item in items:
        path, told = (*titles, item.title), (*names, _name(item, items))
        if item.items is not None:
            yield from _entries(item.items, path, told, exported)
        else:
            takes = item.hands_on and (exported or not titles)
            yield Entry(path, ">".join(told) if all(told) else "", takes, item.id)


def _name(item: _Item, among: Sequence[_Item]) -> str:
    """What GRUB, which takes the first that has this id or title, takes for this one; empty if there is nothing."""
    for name in filter(None, (item.id, _escaped(item.title))):
        is_readable = "\N{REPLACEMENT CHARACTER}" not in name and not name.isdecimal()
        if is_readable and next(one for one in among if one.is_called(name)) is item:
            return name
    return ""


def _escaped(title: str) -> str:
    return title.replace(">", ">>")


def hands_on_once(lines: Iterable[str]) -> bool:
    """Whether this grub.cfg empties ``hpcvirt_arguments`` for every boot that was not ordered."""
    return _EMPTIED.search("\n".join(lines)) is not None


_EMPTIED = re.compile(
    r"""^\s*if\s+\[\s+["']?\$[{]?boot_once[}]?["']?\s+!=\s+["']?true["']?\s+\]\s*;?\s*then\s+"""
    rf"""(set\s+{ARGUMENTS}=(""|'')?|unset\s+{ARGUMENTS})\s*(;|$)""",
    re.MULTILINE,
)
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
            found.append(Entry((told["title"],), told["id"], ARGUMENTS in told.get("args", ""), told["id"]))
    return found


def parse_legacy(lines: Iterable[str]) -> list[Entry]:
    """Entries of GRUB Legacy's menu.lst, told by their number."""
    titles = (match[1] for match in map(_LEGACY_TITLE.match, lines) if match)
    return [Entry((title.strip(),), str(number)) for number, title in enumerate(titles)]


_LEGACY_TITLE = re.compile(r"\s*title\s+(\S.*)")


def find(entries: Sequence[Entry], wanted: str, node: str) -> Entry:
    """The entry that an operator means: by its whole path, by its own title, or by its id.

    Of entries with the same path GRUB boots the first. Raises BootRefused when there is none, or it could be
    several, or GRUB would boot another one.
    """
    told = _normal(wanted)
    for matches in (
        [entry for entry in entries if _normal(entry.shown) == told],
        [entry for entry in entries if _normal(entry.titles[-1]) == told],
        [entry for entry in entries if wanted in {entry.place, entry.id}],
    ):
        if len({entry.titles for entry in matches}) == 1:
            return _reached(matches[0], node)
        if matches:
            raise BootRefused(
                f"{node}: {len(matches)} entries of its boot menu are called {wanted!r}",
                hint=f"write one with its submenu: {'; '.join(entry.shown for entry in matches[:CHOICES_SHOWN])}",
            )
    raise BootRefused(f"{node}: no entry of its boot menu is called {wanted!r}", hint=_choices(entries, wanted))


def _reached(entry: Entry, node: str) -> Entry:
    if not entry.place:
        raise BootRefused(
            f"{node}: GRUB would boot another entry than {entry.shown!r}: its id and title, or its submenu's, are "
            "those of one before it too, or no names (a number, or not in UTF-8)",
            hint="give it an id of its own: --id NAME, in place of a copied $menuentry_id_option; then update-grub",
        )
    return entry


def _choices(entries: Sequence[Entry], wanted: str) -> str:
    titles = [entry.titles[-1] for entry in entries]
    near = get_close_matches(wanted, titles, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"it has: {'; '.join(dict.fromkeys(titles[:CHOICES_SHOWN]))}" if titles else "its menu could not be read"


def _normal(path: str) -> str:
    return SEPARATOR.join(" ".join(part.split()) for part in path.split(">"))
