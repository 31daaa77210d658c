# SPDX-License-Identifier: Apache-2.0
"""keepalived with virtual MACs and conntrackd as a system under test, set up as well as it can be.

keepalived runs in real time and with its CPU limit raised, conntrackd in its reliable mode with buffers and tables far
above the shipped ones, on both HA links.
"""
import contextlib
import os
import shutil
import signal

from nsrplab import GATEWAYS, LabError, TRUST, UNTRUST, wait_until
from nsrplab.system import Process

from .conntrackd import LINKS, conntrackd_conf, external_cache_size
from .system import PREFERRED, STANDBY, PairUnderTest

INSTANCES = (("TRUST", "eth1", "vmac1", 51, TRUST), ("UNTRUST", "eth2", "vmac2", 52, UNTRUST))

# What is sent to a virtual MAC arrives on that MAC's own device, so rules about eth1 do not match it any more. And the
# addresses are local before the sessions are committed: without the input chain the new master would reset every
# connection whose server speaks first.
POLICY = """
flush chain inet lab_policy forward
add rule inet lab_policy forward ct state established,related accept
add rule inet lab_policy forward iifname { "eth1", "vmac1" } oifname "eth2" ct state new accept
add chain inet lab_policy input { type filter hook input priority filter; }
flush chain inet lab_policy input
add rule inet lab_policy input iifname { "eth1", "eth2", "vmac1", "vmac2" } ct state invalid drop
"""


def keepalived_conf(node, folder, advert_s):
    priority = 150 if node == PREFERRED else 100
    lines = [f"""
global_defs {{
  router_id {node}
  enable_script_security
  script_user root
  vrrp_version 3
  vrrp_rt_priority 50
  vrrp_rlimit_rttime 2000000
}}
vrrp_sync_group PAIR {{
  group {{
    {INSTANCES[0][0]}
    {INSTANCES[1][0]}
  }}
  notify_master "{folder}/sessions.sh master"
  notify_backup "{folder}/sessions.sh backup"
  notify_fault "{folder}/sessions.sh backup"
}}"""]
    for name, ifname, vmac, router, subnet in INSTANCES:
        lines.append(f"""
vrrp_instance {name} {{
  state BACKUP
  interface {ifname}
  use_vmac {vmac}
  virtual_router_id {router}
  priority {priority}
  advert_int {advert_s}
  virtual_ipaddress {{
    {subnet.vsi()}/32
  }}
}}""")
    return "\n".join(lines) + "\n"


def sessions_script(folder):
    """A new master commits what it holds for its peer, cleans up and sends all it has; a new backup asks for all."""
    control = f"/usr/sbin/conntrackd -C {folder}/conntrackd.conf"
    return f"""#!/bin/sh
case "$1" in
  master) {control} -c; {control} -f; {control} -R; {control} -B ;;
  backup) {control} -t; {control} -n ;;
esac >>{folder}/sessions.log 2>&1
"""


class Keepalived(PairUnderTest):
    def __init__(self, lab, tier, advert_s):
        super().__init__(lab)
        for program in ("keepalived", "conntrackd"):
            if shutil.which(program) is None:
                raise LabError(f"{program} is not installed: apt-get install keepalived conntrackd")
        self.tier, self.advert_s = tier, advert_s
        self.name = f"keepalived {advert_s:g} s"
        self.keepalived, self.conntrackd = {}, {}

    def configure(self):
        for node in GATEWAYS:
            folder = self.folder(node)
            os.makedirs(folder, exist_ok=True)
            self.write(node, "keepalived.conf", keepalived_conf(node, folder, self.advert_s), 0o600)
            self.write(node, "conntrackd.conf", conntrackd_conf(node, folder), 0o600)
            self.write(node, "sessions.sh", sessions_script(folder), 0o700)
            self.prepare_kernel(node)

    def prepare_kernel(self, node):
        addresses = [(ifname, f"{subnet.manage(node)}/24") for _, ifname, _, _, subnet in INSTANCES]
        addresses += [(ifname, f"{net}.{1 if node == PREFERRED else 2}/24") for ifname, net, _ in LINKS]
        for ifname, address in addresses:
            self.lab[node].ip("addr", "replace", address, "dev", ifname)
        # Sequence numbers moved on while the sessions were replicated.
        self.run(node, "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_be_liberal=1")
        self.lab.network.run(node, "nft", "-f", "-", text_input=POLICY)

    def boot(self, node):
        folder = self.folder(node)
        for stale in ("conntrackd.lock", "conntrackd.ctl", "keepalived.pid", "vrrp.pid"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, stale))
        self.conntrackd[node] = self.spawn(node, "conntrackd", "-C", f"{folder}/conntrackd.conf")
        wait_until(lambda: self.control(node, "-s").returncode == 0, 10, f"conntrackd on {node}")
        self.keepalived[node] = self.spawn(
            node, "keepalived", "--dont-fork", "--vrrp", "--log-console", "--log-detail",
            "-f", f"{folder}/keepalived.conf", "-p", f"{folder}/keepalived.pid", "-r", f"{folder}/vrrp.pid")

    def kill(self, node):
        """All at once: a parent that lives would start its child anew, a child that outlives it would clean up."""
        parent = self.keepalived[node]
        parent.send(signal.SIGSTOP)
        child = self.child_pid(node)
        if child is not None:
            os.kill(child, signal.SIGKILL)
        parent.kill()
        self.conntrackd[node].kill()

    def leave(self, node):
        self.keepalived[node].send(signal.SIGTERM)
        self.keepalived[node].wait(20)

    def wipe(self, node):
        if node in self.keepalived and self.keepalived[node].alive():
            self.kill(node)
        if node in self.conntrackd and self.conntrackd[node].alive():
            self.conntrackd[node].kill()
        for _, _, vmac, _, _ in INSTANCES:
            self.run(node, "ip", "link", "del", vmac, check=False)
        self.forget_sessions(node)

    def holders(self):
        held = set()
        for node in GATEWAYS:
            addresses = self.lab[node].ip("-4", "-o", "addr", "show")
            if all(f"inet {subnet.vsi()}/32" in addresses for *_, subnet in INSTANCES):
                held.add(node)
        return held

    def replicated(self, node):
        return external_cache_size(self.control(node, "-s").stdout)

    def synchronised(self):
        return self.holders() == {PREFERRED} and self.control(STANDBY, "-s").returncode == 0

    def folder(self, node):
        return os.path.join(self.lab.folder, f"{node}-keepalived")

    def child_pid(self, node):
        try:
            with open(os.path.join(self.folder(node), "vrrp.pid"), encoding="ascii") as pid:
                return int(pid.read())
        except (OSError, ValueError):
            return None

    def spawn(self, node, program, *words):
        with open(os.path.join(self.folder(node), f"{program}.out"), "ab") as output:
            return Process.spawn([*self.lab.network.inside(node), program, *words], output)

    def control(self, node, word):
        return self.run(node, "conntrackd", "-C", f"{self.folder(node)}/conntrackd.conf", word, check=False)

    def run(self, node, *command, check=True):
        return self.lab.network.run(node, *command, check=check)

    def write(self, node, name, text, mode):
        path = os.path.join(self.folder(node), name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
