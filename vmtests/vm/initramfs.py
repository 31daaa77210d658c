# SPDX-License-Identifier: Apache-2.0
"""A tiny initramfs: busybox, the agent and the modules a gateway needs, in load order.

Dependencies are resolved and modules decompressed here, on the host: in an emulated guest each of both takes seconds.
"""
import lzma
import os
import stat
from pathlib import Path

# What mounting the host's root and talking to the host takes, then what a gateway takes. crc32c_generic is what
# libcrc32c (under nf_conntrack) asks the crypto layer for by name when it is loaded: no line of modules.dep says so.
MODULES = """
virtio_pci virtio_console virtio_rng 9pnet_virtio 9p overlay
af_packet virtio_net sch_ingress cls_bpf 8021q
crc32c_generic nf_conntrack nf_conntrack_netlink nf_nat nf_tables nft_ct nft_chain_nat nft_masq nft_nat
""".split()

# Process 1 until the host's root is mounted: read-only below, a tmpfs above, so a test may write anywhere.
INIT = """#!/bin/busybox sh
B=/bin/busybox
fail() { echo "initramfs: $*" >/dev/console; $B sleep 1; $B poweroff -f; }
$B mount -t devtmpfs dev /dev
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
while read -r module; do $B insmod "/modules/$module" || fail "cannot load $module"; done </modules.order
$B mkdir /lower /upper /root
$B mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose,access=any host /lower || fail "no 9p root"
$B mount -t tmpfs upper /upper
$B mkdir /upper/data /upper/work
$B mount -t overlay -o nosuid,lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work root /root || fail "no overlay"
for dir in dev proc sys; do $B mount --move "/$dir" "/root/$dir"; done
$B mount -t tmpfs run /root/run
$B cp /agent /start /root/run/
exec $B switch_root /root /run/start
"""

# Process 1 afterwards, until it becomes the agent. No udev here: interfaces keep the kernel's names, in PCI order.
START = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mkdir -p /dev/pts /dev/shm /run/netns /run/lock
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracing /sys/kernel/tracing
for word in $(cat /proc/cmdline); do
  case $word in
    guest.name=*) echo "${word#*=}" >/proc/sys/kernel/hostname ;;
    guest.modules=*) mkdir -p /lib/modules && ln -s "${word#*=}" "/lib/modules/$(uname -r)" ;;
  esac
done
ip link set lo up
cd /
exec /run/agent
"""


class ModuleError(Exception):
    pass


class _Archive:
    """cpio in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self):
        self._data = bytearray()
        self._entries = 0
        self._dirs = set()

    def directory(self, path):
        parent = os.path.dirname(path)
        if parent:
            self.directory(parent)
        if path not in self._dirs:
            self._dirs.add(path)
            self._entry(path, stat.S_IFDIR | 0o755)

    def file(self, path, content, mode=0o755):
        if os.path.dirname(path):
            self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, content)

    def console(self):
        """The kernel opens /dev/console for process 1 before anything is mounted."""
        self.directory("dev")
        self._entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))

    def finish(self):
        self._entry("TRAILER!!!", 0)
        return bytes(self._data)

    def _entry(self, path, mode, content=b"", device=(0, 0)):
        self._entries += 1
        name = path.encode() + b"\0"
        fields = (self._entries, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._pad()
        self._data += content
        self._pad()

    def _pad(self):
        self._data += bytes(-len(self._data) % 4)


def load_order(kernel, names):
    """Files of the modules and of all they need, so that each comes after what it needs. Built-in ones are left out."""
    needs = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, _, dependencies = line.partition(":")
        needs[path] = dependencies.split()
    path_of = {_module_name(path): path for path in needs}
    builtin = {_module_name(path) for path in (kernel.modules / "modules.builtin").read_text().split()}
    order = []

    def visit(path):
        for dependency in needs[path]:
            visit(dependency)
        if path not in order:
            order.append(path)

    for name in names:
        if name in path_of:
            visit(path_of[name])
        elif name not in builtin:
            raise ModuleError(f"kernel {kernel.release} has no module {name}")
    return [kernel.modules / path for path in order]


def build(kernel, agent, target):
    """Writes the initramfs for this kernel."""
    archive = _Archive()
    for name in ("bin", "dev", "proc", "sys", "run"):
        archive.directory(name)
    archive.console()
    archive.file("bin/busybox", Path("/bin/busybox").read_bytes())
    archive.file("agent", Path(agent).read_bytes())
    archive.file("init", INIT.encode())
    archive.file("start", START.encode())
    modules = load_order(kernel, MODULES)
    for path in modules:
        archive.file("modules/" + _module_name(path), _decompressed(path), 0o644)
    archive.file("modules.order", "".join(_module_name(path) + "\n" for path in modules).encode(), 0o644)
    Path(target).write_bytes(archive.finish())


def _module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def _decompressed(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data
