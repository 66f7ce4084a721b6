"""``python -m hpcvirt.tui``: the same as ``hpcvirt-tui``."""

from hpcvirt.tui.cli import main

main()
