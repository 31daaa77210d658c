# SPDX-License-Identifier: Apache-2.0
"""nsrp-traffic inside the lab: echo servers on the end hosts and measuring clients."""
import json
import os
import signal

from .build import program
from .system import LabError, Process, wait_until
from .topology import ECHO_PORT, FORWARDED_PORT, TRUST, UNTRUST


class EchoServer:
    def __init__(self, network, folder, host):
        log_path = os.path.join(folder, f"echo-{host}.log")
        with open(log_path, "wb") as log:
            self.process = Process.spawn(network.inside(host) + [
                program("nsrp-traffic"), "server", "--tcp", ECHO_PORT, "--udp", ECHO_PORT], log)

        def listening():
            if not self.process.alive():
                with open(log_path, encoding="utf-8") as log:
                    raise LabError(f"the echo server on {host} ended: {log.read().strip()}")
            return str(ECHO_PORT) in network.run(host, "ss", "-Hltn").stdout
        wait_until(listening, 10, f"echo server on {host}")

    def stop(self):
        self.process.end()


class Load(dict):
    """What a client sends. direction: "out" from client through SNAT, "in" from server through the forwarded port."""

    def __init__(self, connections=200, udp_rate=1000, message_interval_ms=50, udp_flows=1, direction="out", v6=False):
        super().__init__(connections=connections, udp_rate=udp_rate, message_interval_ms=message_interval_ms,
                         udp_flows=udp_flows)
        self.host = "client" if direction == "out" else "server"
        if direction == "in" and v6:
            raise LabError("IPv6 is routed without NAT, and the policy lets nothing in")
        self.server = UNTRUST.host(v6) if direction == "out" else UNTRUST.vsi()
        self.port = ECHO_PORT if direction == "out" else FORWARDED_PORT


class TrafficClient:
    """A running client. stop() ends it and returns its result."""
    _count = 0

    def __init__(self, network, folder, load):
        TrafficClient._count += 1
        self.path = os.path.join(folder, f"traffic-{load.host}-{os.getpid()}-{TrafficClient._count}.json")
        command = [program("nsrp-traffic"), "client", "--server", load.server, "--progress"]
        if load["connections"]:
            command += ["--tcp-port", load.port, "--connections", load["connections"],
                        "--message-interval-ms", load["message_interval_ms"]]
        if load["udp_rate"]:
            command += ["--udp-port", load.port, "--udp-rate", load["udp_rate"], "--udp-flows", load["udp_flows"]]
        with open(self.path, "wb") as output:
            self.process = Process.spawn(network.inside(load.host) + command, output)

    def lines(self, kind):
        with open(self.path, encoding="utf-8") as output:
            whole = output.read().rsplit("\n", 1)[0].splitlines()
        try:
            found = [json.loads(line) for line in whole if line]
        except ValueError as error:
            raise LabError(f"nsrp-traffic says: {' '.join(whole)}") from error
        return [line for line in found if line["type"] == kind]

    def wait_ready(self, deadline_s=30):
        """Until every connection is up and echoes and UDP replies come."""
        def ready():
            if not self.process.alive():
                with open(self.path, encoding="utf-8") as output:
                    raise LabError(f"nsrp-traffic ended: {output.read().strip()}")
            return self.lines("ready")
        return wait_until(ready, deadline_s, "traffic on all connections")[0]

    def wait_flowing(self, seconds=2, deadline_s=60):
        """Until `seconds` progress lines in a row, from now on, show packets coming back and no connection waiting. On
        a busy machine some packets are late, so a few may be missing."""
        seen = len(self.lines("progress"))

        def flows():
            recent = self.lines("progress")[seen:][-seconds:]
            return len(recent) == seconds and all(
                line["tcp_waiting"] == 0 and line["udp_received"] >= 0.5 * line["udp_sent"] for line in recent)
        wait_until(flows, deadline_s, "traffic that flows again")

    def stop(self):
        self.process.send(signal.SIGTERM)
        self.process.wait(40)
        results = self.lines("result")
        if not results:
            raise LabError("nsrp-traffic ended without a result")
        return results[0]
