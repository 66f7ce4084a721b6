"""Campaign files: TOML text in, a Campaign out, or all of its faults at once, each with its key path."""

from hpcvirt.core.config.choice import Choice, choose
from hpcvirt.core.config.reading import LARGEST_FILE_BYTES, CampaignFile, parse_campaign, read_campaign

__all__ = ["LARGEST_FILE_BYTES", "CampaignFile", "Choice", "choose", "parse_campaign", "read_campaign"]
