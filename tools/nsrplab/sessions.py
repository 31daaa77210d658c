# SPDX-License-Identifier: Apache-2.0
"""nsrp-sessions inside the lab: the gateways' conntrack tables compared, and sessions made in any number."""
import json
import os
from typing import NamedTuple

from .build import program
from .system import LabError, Process, run
from .topology import THREE_GATEWAYS, TRUST, UNTRUST

# Sessions of the boxes themselves are not mirrored: HA links (link-local), neighbours, local services.
NOT_MIRRORED = ("fe80::/10", "ff00::/8", "224.0.0.0/4", "127.0.0.0/8", "::1/128", "192.168.0.0/16",
                *(f"{subnet.manage(gateway)}/32" for subnet in (TRUST, UNTRUST) for gateway in THREE_GATEWAYS),
                *(f"{subnet.manage(gateway, True)}/128" for subnet in (TRUST, UNTRUST) for gateway in THREE_GATEWAYS))
STORM_PORT = 20000
STORM_PORTS = 64  # destination ports, each good for 64512 sessions


class Comparison(NamedTuple):
    first: int  # entries in the first table
    second: int
    only_first: int
    only_second: int
    different: int
    examples: list

    @property
    def equal(self):
        return self.only_first + self.only_second + self.different == 0

    def summary(self):
        return (f"{self.first} and {self.second} sessions: {self.only_first} only in the first, "
                f"{self.only_second} only in the second, {self.different} different")


def compare(network, first, second):
    command = [program("nsrp-sessions"), "compare", network.namespace(first), network.namespace(second)]
    for prefix in NOT_MIRRORED:
        command += ["--ignore", prefix]
    done = run(command, check=False)
    if done.returncode not in (0, 1):
        raise LabError(done.stderr.strip())
    return Comparison(**json.loads(done.stdout))


def swallow_storm(network):
    """The server drops what a storm sends, below its stack: nobody answers, and nothing is spent on it."""
    network.run("server", "nft", "-f", "-", text_input=f"""
        table netdev storm {{
          chain swallowed {{
            type filter hook ingress device "eth0" priority 0;
            udp dport {STORM_PORT}-{STORM_PORT + STORM_PORTS - 1} drop
          }}
        }}
        """)


def virtual_mac(network):
    """What the client has learned as the hardware address of its gateway."""
    # A session with the gateway itself would be on one gateway only, and a difference between the two.
    network.run("client", "ping", "-c", "1", "-W", "5", UNTRUST.host(), check=False)
    words = network.run("client", "ip", "neigh", "show", TRUST.vsi()).stdout.split()
    if "lladdr" not in words:
        raise LabError(f"the client does not find its gateway {TRUST.vsi()}")
    return words[words.index("lladdr") + 1]


class SessionStorm:
    """UDP sessions from the client through SNAT, one packet each, numbered from `first`."""
    _count = 0

    def __init__(self, network, folder, count, rate=0, first=0):
        SessionStorm._count += 1
        self.path = os.path.join(folder, f"storm-{os.getpid()}-{SessionStorm._count}.json")
        command = [program("nsrp-sessions"), "storm", "--interface", "eth0", "--to-mac", virtual_mac(network),
                   "--from", TRUST.host(), "--to", UNTRUST.host(), "--to-port", STORM_PORT,
                   "--count", count, "--first", first, "--rate", rate]
        with open(self.path, "wb") as output:
            self.process = Process.spawn(network.inside("client") + command, output)

    def wait(self, deadline_s=600):
        """Until all are sent: {"sent", "refused", "seconds", "cpu_seconds"}."""
        self.process.wait(deadline_s)
        with open(self.path, encoding="utf-8") as output:
            said = output.read()
        try:
            return json.loads(said)
        except ValueError as error:
            raise LabError(said.strip() or "the storm ended without a word") from error


def latencies(network, observed, count, first=0, interval_ms=10):
    """How long after its first packet each of `count` new sessions is in the conntrack of another gateway."""
    command = [program("nsrp-sessions"), "latency", "--observed", network.namespace(observed),
               "--from", TRUST.host(), "--to", UNTRUST.host(), "--to-port", STORM_PORT,
               "--count", count, "--first", first, "--interval-ms", interval_ms]
    return json.loads(network.run("client", *map(str, command)).stdout)
