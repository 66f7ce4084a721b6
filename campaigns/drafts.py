"""New campaign files."""

from __future__ import annotations

import os
from pathlib import Path

from hpcvirt.campaigns import TEMPLATE
from hpcvirt.core.config import parse_campaign
from hpcvirt.core.errors import CampaignInvalid, StoreUnusable, UsageWrong


def new_campaign(name: str, folder: Path) -> Path:
    """Write a commented campaign file; nothing that is there is overwritten.

    Raises UsageWrong for a name that no campaign can have or that is taken, StoreUnusable.
    """
    stem = name.removesuffix(".toml")
    text = TEMPLATE.read_text(encoding="utf-8").replace('"NAME"', f'"{stem}"', 1)
    try:
        parse_campaign(text)
    except CampaignInvalid as error:
        raise UsageWrong(
            f"{name!r} is no name for a campaign", hint="use letters, digits, . _ + -, beginning with one of the first"
        ) from error
    path = folder / f"{stem}.toml"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError as error:
        raise UsageWrong(f"{path} is there already", hint="give another name, or remove it first") from error
    except OSError as error:
        raise StoreUnusable(f"{path}: {error.strerror}", hint="go to a folder that you can write to") from error
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        file.write(text)
    return path
