# SPDX-License-Identifier: Apache-2.0
"""A gateway's mastership as its data path sees it: the lease of a VSD in the pinned map, read without asking a daemon."""
import ctypes
import mmap
import os
import struct
import time

BPF_OBJ_GET = 7
SYS_BPF = {"x86_64": 321, "aarch64": 280}
STATE = struct.Struct("=QQQQ")  # struct nsrp_vsd_state: master_until_ns, alone_grace_ns, peer_seen_ns, term


class Lease:
    """
        with Lease(gateway) as lease:
            lease.in_force()
    """

    def __init__(self, gateway, vsd=0):
        folder = next(name for name in os.listdir(gateway.bpf_dir) if name.startswith("v"))
        path = os.path.join(gateway.bpf_dir, folder, "vsd_state").encode() + b"\0"
        name = ctypes.create_string_buffer(path)
        attributes = ctypes.create_string_buffer(struct.pack("=QII", ctypes.addressof(name), 0, 0), 128)
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.syscall(SYS_BPF[os.uname().machine], BPF_OBJ_GET, attributes, 128)
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path.decode())
        self._memory = mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        os.close(fd)
        self._offset = vsd * STATE.size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._memory.close()

    def read(self):
        return STATE.unpack_from(self._memory, self._offset)

    def term(self):
        return self.read()[3]

    def in_force(self):
        """As nsrp_masters() of bpf/vsd.h decides it."""
        until, grace, seen, _ = self.read()
        now = time.monotonic_ns()
        return now < until and (seen == 0 or grace == 0 or now < seen + grace)
