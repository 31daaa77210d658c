# SPDX-License-Identifier: Apache-2.0
"""Builds and removes the namespaces, cables, switches and rules of a lab.

What looks like a whim here is a trap somebody fell into: the comments say which.
"""
import os
import signal
import time

from .system import LabError, run, run_together, start_time, wait_until
from .topology import (ECHO_PORT, END_HOSTS, FORWARDED_PORT, HA_SWITCH, SWITCHES, THREE_GATEWAYS, TRUST, UNTRUST,
                       Layout, bridge_of, cables, link_names, select_cables)

# The policy of both gateways. NAT goes to the VSI's address with `snat`: `masquerade` takes the primary address of the
# interface, which is the gateway's own. IPv6 is routed. New connections from untrust come in only by the forwarded port.
RULESET = f"""
table inet lab_policy {{
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ct state invalid counter drop
    ct state established,related counter accept
    iifname "eth1" oifname "eth2" ct state new counter accept
    iifname "eth2" oifname "eth1" ct status dnat counter accept
  }}
}}
table ip lab_nat {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    iifname "eth2" ip daddr {UNTRUST.vsi()} meta l4proto {{ tcp, udp }} th dport {FORWARDED_PORT} \
dnat to {TRUST.host()}:{ECHO_PORT}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    oifname "eth2" ip saddr {TRUST.network()} snat to {UNTRUST.vsi()}
  }}
}}
"""


class Network:
    """The hosts of one lab as network namespaces, each named with the lab's prefix."""

    def __init__(self, prefix, layout=Layout()):
        self.prefix = prefix
        self.layout = layout

    def namespace(self, host):
        return self.prefix + host

    def inside(self, host):
        """The words that run a command inside a host. `ip netns exec` would mount a fresh /sys and so hide /sys/fs/bpf,
        where the gateways pin their maps; nsenter changes nothing but the network."""
        return ["nsenter", f"--net=/run/netns/{self.namespace(host)}", "--"]

    def run(self, host, *command, check=True, text_input=None):
        return run(self.inside(host) + list(command), check, text_input)

    def _all_names(self):
        # A test may put a host behind an end host: it is removed with the rest.
        return [*END_HOSTS, *(f"{h}2" for h in END_HOSTS), *THREE_GATEWAYS, *SWITCHES, HA_SWITCH]

    def existing(self):
        return [h for h in self._all_names() if os.path.exists(f"/run/netns/{self.namespace(h)}")]

    # Building

    def build(self, pass_object):
        hosts = [*self.layout.hosts, *self.layout.switches]
        lines = [f"netns add {self.namespace(h)}" for h in hosts]
        run(["ip", "-batch", "-"], text_input="\n".join(lines))
        self._quiet_ipv6(hosts)
        self._plug_cables()
        for switch in self.layout.switches:
            self._build_switch(switch, pass_object)
        self._build_end_hosts()
        for gateway in self.layout.gateways:
            self._build_gateway(gateway)

    def _quiet_ipv6(self, hosts):
        for host in hosts:
            if host in self.layout.gateways:
                continue
            # Switches are no IPv6 hosts; on the end hosts a duplicate check of fixed addresses would only cost seconds.
            key, value = ("accept_dad", 0) if host in END_HOSTS else ("disable_ipv6", 1)
            self.run(host, "sysctl", "-qw", f"net.ipv6.conf.all.{key}={value}", f"net.ipv6.conf.default.{key}={value}")

    def _plug_cables(self):
        # Fixed MACs: unit ids, and so elections between equals, are the same in every run.
        lines = []
        for cable in cables(self.layout):
            a, b = cable.ends
            lines.append(f"link add {a.ifname} address {a.mac} netns {self.namespace(a.host)} type veth "
                         f"peer name {b.ifname} address {b.mac} netns {self.namespace(b.host)}")
        run(["ip", "-batch", "-"], text_input="\n".join(lines))
        ends = [end for cable in cables(self.layout) for end in cable.ends]
        for host in {end.host for end in ends}:
            up = ["link set lo up"] + [f"link set {e.ifname} up" for e in ends if e.host == host]
            run(["ip", "-n", self.namespace(host), "-batch", "-"], text_input="\n".join(up))

    def _build_switch(self, switch, pass_object):
        ports = [e.ifname for c in cables(self.layout) for e in c.ends if e.host == switch]
        bridges = sorted({bridge_of(switch, p) for p in ports})
        lines = [f"link add {b} type bridge mcast_snooping 0" for b in bridges]
        lines += [f"link set {b} up" for b in bridges]
        lines += [f"link set {p} master {bridge_of(switch, p)}" for p in ports]
        run(["ip", "-n", self.namespace(switch), "-batch", "-"], text_input="\n".join(lines))
        for port in ports:
            if not port.startswith(self.layout.gateways):
                continue
            # XDP_TX and XDP redirect into a veth are delivered only to a peer that has an XDP program itself.
            run(["ip", "-n", self.namespace(switch), "link", "set", "dev", port, "xdpdrv", "obj", pass_object, "sec", "xdp"])
            # veth leaves TCP checksums to hardware that is not there: a packet that XDP rewrites or redirects then
            # arrives with a wrong one, and TCP never gets past its SYN. And a VLAN tag must be in the frame, not beside
            # it, or XDP on the gateway does not see it.
            self.run(switch, "ethtool", "-K", port, "tx", "off", "txvlan", "off")

    def _build_end_hosts(self):
        for host, subnet in (("client", TRUST), ("server", UNTRUST)):
            run(["ip", "-n", self.namespace(host), "-batch", "-"], text_input="\n".join((
                f"addr add {subnet.host()}/24 dev eth0", f"addr add {subnet.host(True)}/64 dev eth0 nodad",
                f"route add default via {subnet.vsi()}", f"route add ::/0 via {subnet.vsi(True)}")))

    def _build_gateway(self, gateway):
        self.run(gateway, "nft", "-f", "-", text_input=RULESET)
        self.run(gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                 # Strict about sessions nobody told us of: with the default (1) conntrack adopts any TCP packet in
                 # mid-stream, and a failover without session sync would pass by luck.
                 "net.netfilter.nf_conntrack_tcp_loose=0")
        for ifname in ("ha1", "ha2"):
            self.run(gateway, "ethtool", "-K", ifname, "tx", "off", "txvlan", "off")  # as on the switch ports

    def make_static_gateway(self, gateway):
        """Gives a gateway the VSI addresses by hand: plain forwarding without NSRP, to prove the lab itself."""
        lines = []
        for ifname, subnet in (("eth1", TRUST), ("eth2", UNTRUST)):
            lines += [f"addr add {subnet.vsi()}/24 dev {ifname}", f"addr add {subnet.vsi(True)}/64 dev {ifname} nodad"]
        run(["ip", "-n", self.namespace(gateway), "-batch", "-"], text_input="\n".join(lines))

    # Breaking and mending cables

    def cut(self, link, silent=False):
        """Carrier is lost at the hosts' ends. Silent: frames vanish and carrier stays, as when a switch behind dies."""
        self._set_cables(link, silent, healthy=False)

    def heal(self, link):
        self._set_cables(link, False, healthy=True)

        def ports_forward():
            try:
                self._set_cables(link, True, healthy=True)
                return True
            except LabError:  # a port whose carrier is still on its way refuses the state
                return False
        wait_until(ports_forward, 5, f"switch ports of {link}")

    def _set_cables(self, link, silent, healthy):
        chosen = select_cables(link, self.layout)
        if not chosen:
            raise LabError(f"no link '{link}': one of {', '.join(link_names(self.layout))}")
        by_host = {}
        for cable in chosen:
            end = self._end_to_switch_off(link, cable)
            by_host.setdefault(end.host, []).append(end.ifname)
        if silent:
            self._set_port_states(by_host, healthy)
        else:
            state = "up" if healthy else "down"
            run_together([(["ip", "-n", self.namespace(host), "-batch", "-"],
                           "".join(f"link set {p} {state}\n" for p in ports)) for host, ports in by_host.items()])

    def _set_port_states(self, by_host, healthy):
        direct = [host for host in by_host if host in self.layout.gateways]
        if direct and not healthy:
            raise LabError("an HA cable can lose its frames silently only when it runs through a switch (--ha-switch)")
        # Port state `disabled` (0) drops everything both ways and leaves the carrier alone; 3 is `forwarding`.
        state = 3 if healthy else 0
        run_together([(["bridge", "-n", self.namespace(host), "-batch", "-"],
                       "".join(f"link set dev {p} state {state}\n" for p in ports))
                      for host, ports in by_host.items() if host not in direct])

    def _end_to_switch_off(self, link, cable):
        """The far end, so that the host sees its carrier go. A direct cable has no far end that is not a gateway's: when
        one gateway is cut off as a whole its own end goes down, and its peer sees the carrier go."""
        if link in self.layout.gateways and all(e.host in self.layout.gateways for e in cable.ends):
            return next(e for e in cable.ends if e.host == link)
        return cable.ends[1]

    # One direction of a cable

    def mute(self, gateway, link, only=""):
        """What the gateway sends on this link vanishes in its switch port, carriers and the other direction stay.
        `only`: a match of nft that narrows it."""
        host, port = self._switch_port(gateway, link)
        self.run(host, "nft", "-f", "-", text_input=f"""
            table netdev {self._mute_table(port)} {{
              chain drops {{
                type filter hook ingress device "{port}" priority 0;
                {only} counter drop
              }}
            }}
            """)

    def unmute(self, gateway, link):
        host, port = self._switch_port(gateway, link)
        self.run(host, "nft", "delete", "table", "netdev", self._mute_table(port))

    @staticmethod
    def _mute_table(port):
        return "mute_" + port.replace("-", "_")

    def _switch_port(self, gateway, link):
        ends = [c.ends[1] for c in cables(self.layout) if c.name == f"{gateway}-{link}"]
        if not ends:
            raise LabError(f"{gateway} has no switch port '{link}'")
        return ends[0].host, ends[0].ifname

    # Removing

    def remove(self):
        """Removes whatever of this lab exists, after any kind of crash."""
        present = self.existing()
        for host in present:
            self._end_processes(host)
        for host in present:
            run(["ip", "netns", "del", self.namespace(host)])

    def _end_processes(self, host):
        """A namespace lives as long as a process in it: shells, pings and daemons somebody left behind."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            pids = [int(p) for p in run(["ip", "netns", "pids", self.namespace(host)]).stdout.split()
                    if int(p) != os.getpid()]
            for pid in pids:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + 3
            while any(start_time(p) is not None for p in pids) and time.monotonic() < end:
                time.sleep(0.02)
