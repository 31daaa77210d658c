# SPDX-License-Identifier: Apache-2.0
"""The traffic that goes through the pair while something happens to it, and what it makes of that."""
import contextlib
import dataclasses

from nsrplab import LabError


@dataclasses.dataclass(frozen=True)
class Sample:
    """One event as the client saw it."""
    gap_ms: float     # longest silence in the UDP replies
    lost: int         # UDP datagrams that never came back
    connections: int  # TCP connections there were …
    broken: int       # … and how many of them did not survive
    stall_ms: float   # longest time one message of a surviving or broken connection had to wait
    holders: str      # who holds the addresses afterwards


class Judge:
    """A running client. Made before the event, asked after it."""

    def __init__(self, lab, load):
        self.client = lab.traffic(load)
        self.connections = load["connections"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.client.process.alive():
            self.client.process.end()

    def wait_flowing(self):
        self.client.wait_ready()
        self.client.wait_flowing(1)

    def verdict(self, holders):
        """Once traffic flows again. Connections that stay silent for so long are lost, and counted at the end."""
        with contextlib.suppress(LabError):
            self.client.wait_flowing(2, deadline_s=20)
        result = self.client.stop()
        udp, tcp = result["udp"], result["tcp"]
        return Sample(udp["longest_gap_ms"], udp["lost"], self.connections, tcp["broken"], tcp["longest_stall_ms"],
                      "+".join(sorted(holders)) or "nobody")
