#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A lone gateway on a kernel as Debian ships it, in a virtual machine.

usage: smoke.py --kernel 6.1|6.12 --binaries BUILD-TREE --agent FILE [--cache DIR] [unittest options]

Needs root (a network namespace, taps). Exits with 77 when this machine cannot run it at all.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

from vm import initramfs, kernels
from vm.machine import Machine, Nic
from vm.wire import Wire

SKIPPED = 77
MASTERSHIP_DEADLINE_S = 120
VIRTUAL_MAC_PREFIX = "02:4e:53:"

# eth0 is an HA link with nobody at the other end; vlan5 is a device whose driver has no XDP.
CONFIGURATION = """
set nsrp cluster id 1
set nsrp vsd-group id 0 priority 50
set nsrp vsd-group init-hold 5
set nsrp vsd-group hb-interval 200
set nsrp vsd-group hb-threshold 3
set interface eth0 zone ha
set interface eth1 zone trust
set interface eth1 ip 10.1.0.1/24
set interface eth1 manage-ip 10.1.0.2
set interface eth1 ip 2001:db8:1::1/64
set interface vlan5 zone dmz
set interface vlan5 ip 10.5.0.1/24
"""
NICS = [Nic("ha", "52:54:00:00:00:01"), Nic("trust", "52:54:00:00:00:02")]
TAPS = {"ha": [], "trust": ["10.1.0.9/24", "2001:db8:1::9/64"]}

options: argparse.Namespace


class GuestTest(unittest.TestCase):
    """Gives each class of tests a freshly booted guest."""

    @classmethod
    def setUpClass(cls):
        scratch = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="nsrp-vm-")))
        kernel = options.kernel_files
        ramdisk = scratch / "initramfs"
        initramfs.build(kernel, options.agent, ramdisk)
        cls.wire = cls.enterClassContext(Wire(TAPS))
        guest = Machine("gateway", kernel, ramdisk, scratch, cls.wire.run_inside(), NICS)
        cls.guest = cls.enterClassContext(guest)


class TheKernel(GuestTest):
    def test_is_the_one_asked_for(self):
        self.assertEqual(self.guest.check("uname -r").strip(), options.kernel_files.release)

    def test_has_the_conntrack_functions_for_bpf(self):
        listing = self.guest.check("bpftool btf dump file /sys/kernel/btf/nf_conntrack -B /sys/kernel/btf/vmlinux")
        for function in ("bpf_skb_ct_lookup", "bpf_xdp_ct_lookup", "bpf_ct_release"):
            self.assertIn(f"FUNC '{function}'", listing)

    def test_has_io_uring(self):
        self.assertTrue(options.kernel_files.has_option("IO_URING"))
        setup = "import ctypes; print(ctypes.CDLL(None).syscall(425, 4, ctypes.create_string_buffer(120)) >= 0)"
        self.assertEqual(self.guest.check(f"python3 -c '{setup}'").strip(), "True")

    def test_accepts_every_bpf_program(self):
        objects = sorted(options.binaries.rglob("*.bpf.o"))
        self.assertTrue(objects, f"no BPF objects in {options.binaries}")
        for path in objects:
            with self.subTest(program=path.name):
                job = self.guest.run(f"bpftool prog loadall {path} /sys/fs/bpf/loaded", deadline_s=180)
                self.assertEqual(job.status, 0, job.stderr()[-6000:])
                self.assertNotEqual(self.guest.check("ls /sys/fs/bpf/loaded").split(), [])
            self.guest.check("rm -rf /sys/fs/bpf/*")


class ALoneGateway(GuestTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon = None
        cls.guest.check("ip link add link eth1 name vlan5 type vlan id 5")
        cls.guest.check(f"cat >/run/nsrp.conf <<'END'\n{CONFIGURATION}END")

    def setUp(self):
        """A daemon that masters VSD 0; the one of the test before when that still runs."""
        cls = type(self)
        if cls.daemon is not None and cls.daemon.status is None:
            return
        cls.daemon = self.guest.start(f"exec {self.binary('nsrpd')} -c /run/nsrp.conf -r /run/nsrp -b /sys/fs/bpf/nsrp")
        deadline = time.monotonic() + MASTERSHIP_DEADLINE_S
        while self.state() != "master":
            if cls.daemon.status is not None or time.monotonic() > deadline:
                self.fail(f"no master; nsrpd (exit {cls.daemon.status}) said:\n{cls.daemon.output()[-6000:]}")
            time.sleep(0.3)

    def test_answers_arp_for_its_vsi_with_the_virtual_mac(self):
        self.assertTrue(self.mac_behind("10.1.0.1").startswith(VIRTUAL_MAC_PREFIX))

    def test_answers_neighbour_solicitations_for_its_vsi_with_the_virtual_mac(self):
        self.assertTrue(self.mac_behind("2001:db8:1::1").startswith(VIRTUAL_MAC_PREFIX))

    def test_answers_for_its_manage_ip_with_the_mac_of_the_interface(self):
        self.assertEqual(self.mac_behind("10.1.0.2"), NICS[1].mac)

    def test_runs_xdp_natively_on_virtio(self):
        self.assertEqual(self.xdp_modes("eth1"), {"native"})

    def test_runs_xdp_natively_on_the_ha_link(self):
        self.assertEqual(self.xdp_modes("eth0"), {"native"})

    def test_falls_back_to_generic_xdp_where_the_driver_has_none(self):
        self.assertEqual(self.xdp_modes("vlan5"), {"generic"})

    def test_has_both_tc_programs_on_a_traffic_interface(self):
        attached = json.loads(self.guest.check("bpftool -j net show dev eth1"))[0]["tc"]
        self.assertEqual({entry["kind"] for entry in attached}, {"clsact/ingress", "clsact/egress"})

    def test_leaves_nothing_behind_when_told_to_end(self):
        self.guest.signal(self.daemon, signal.SIGTERM)
        self.assertEqual(self.guest.wait(self.daemon).status, 0, self.daemon.stderr()[-3000:])
        for device in ("eth0", "eth1", "vlan5"):
            self.assertEqual(self.xdp_modes(device), set(), device)
        self.assertEqual(self.guest.check("find /sys/fs/bpf -type f"), "")

    def test_starts_again_after_it_was_killed(self):
        self.guest.signal(self.daemon, signal.SIGKILL)
        self.guest.wait(self.daemon)
        self.setUp()
        self.assertEqual(self.xdp_modes("eth1"), {"native"})
        self.assertEqual(self.xdp_modes("vlan5"), {"generic"})

    def mac_behind(self, address):
        """Asks anew who has this address, and lets it answer a ping."""
        self.wire.run("ip", "neigh", "flush", "dev", "trust")
        ping = self.wire.run("ping", "-c", "3", "-i", "0.3", "-W", "5", address)
        self.assertEqual(ping.returncode, 0, ping.stdout)
        (entry,) = json.loads(self.wire.run("ip", "-j", "neigh", "show", address, "dev", "trust").stdout)
        return entry["lladdr"]

    def xdp_modes(self, device):
        (link,) = json.loads(self.guest.check(f"ip -j -d link show dev {device}"))
        names = {1: "native", 2: "generic", 3: "offloaded"}  # XDP_ATTACHED_* of linux/if_link.h
        return {names[link["xdp"]["mode"]]} if "xdp" in link else set()

    def state(self):
        """What VSD 0 is here; None while the daemon does not answer."""
        job = self.guest.run(f"{self.binary('nsrp')} -r /run/nsrp --json get nsrp")
        if job.status != 0:
            return None
        return json.loads(job.stdout())["vsd_groups"][0]["state"]

    @staticmethod
    def binary(name):
        return options.binaries / "userspace" / {"nsrpd": "daemon", "nsrp": "cli"}[name] / name


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", choices=kernels.PACKAGES, required=True)
    parser.add_argument("--binaries", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--agent", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("build/vm"))
    options, rest = parser.parse_known_args()
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("qemu-system-x86_64", "depmod", "nsenter", "setpriv"):
        if shutil.which(tool) is None:
            skip(f"{tool} is not installed")
    try:
        options.kernel_files = kernels.obtain(options.kernel, options.cache)
    except kernels.KernelError as error:
        skip(f"no kernel {options.kernel}: {error}")
    print(f"kernel {options.kernel_files.release}, binaries {options.binaries}", flush=True)
    unittest.main(argv=[sys.argv[0], "--verbose", *rest])


if __name__ == "__main__":
    main()
