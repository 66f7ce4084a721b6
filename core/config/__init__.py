"""Campaign files: TOML text in, a Campaign out, or all of its faults at once, each with its key path."""

from hpcvirt.core.config.choice import Choice, choose
from hpcvirt.core.config.reading import LARGEST_FILE_BYTES, CampaignFile, parse_campaign, read_campaign
from hpcvirt.core.config.writing import campaign_text

__all__ = [
    "LARGEST_FILE_BYTES",
    "CampaignFile",
    "Choice",
    "campaign_text",
    "choose",
    "parse_campaign",
    "read_campaign",
]
