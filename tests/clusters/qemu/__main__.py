"""``make cluster-qemu``: nodes that really reboot, to be tried by hand until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

from . import QemuCluster, missing, ready_image

CAMPAIGN = """[campaign]
name = "real-reboots"
[design]
runs = 4
blocks = 2
[analysis]
baseline = "stock"
{nodes}{kernels}
[[benchmark]]
plugin = "stream"
parameters = {{ array_size = 200000 }}
"""


def main(nodes: int) -> None:
    """Build the image if need be, start the nodes, say how to use them, wait."""
    lacking = missing()
    if lacking is not None:
        sys.exit(f"no cluster under QEMU: {lacking}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("image: looking, or building it (a minute or two)", flush=True)
    image = ready_image()
    with tempfile.TemporaryDirectory(prefix="hpcvirt-qemu-") as place:
        cluster = QemuCluster(image, Path(place) / "cluster", nodes)
        print(f"{nodes} nodes are booting (one takes half a minute, four take two)", flush=True)
        with cluster:
            campaign = Path(place) / "real-reboots.toml"
            campaign.write_text(CAMPAIGN.format(nodes=cluster.tables(), kernels=cluster.kernel_tables()))
            for node in cluster.nodes:
                print(f"{node.name}: {' '.join(cluster.ssh(node))}")
            print(f"\ncampaign file: {campaign}")
            print(
                f"try it: hpcvirt-tui check {campaign}; hpcvirt-tui run --yes {campaign}\nserving until Ctrl-C",
                flush=True,
            )
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                print("\nthe nodes are switched off")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 4)
