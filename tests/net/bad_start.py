#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts that must fail: each with exit 1 and one sentence an operator can act on, and with nothing applied."""
import ctypes
import os
import struct
import subprocess

from harness import LabTest, main

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
IO_URING_SETUP = 425
EPERM = 1


def refuse_io_uring():
    """A seccomp profile as container managers have it: io_uring_setup fails with EPERM."""
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in (
        (0x20, 0, 0, 0),                      # load the system call's number
        (0x15, 0, 1, IO_URING_SETUP),         # is it io_uring_setup?
        (0x06, 0, 0, 0x00050000 | EPERM),     # then fail with EPERM
        (0x06, 0, 0, 0x7fff0000)))            # else allow
    code = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", 4, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class BadStart(LabTest):
    def setUp(self):
        super().setUp()
        self.gateway = self.lab["gwA"]

    def fails(self, *expected, before=(), preexec=None):
        """Runs nsrpd to its end, which must be a refusal that holds these words."""
        command = self.lab.network.inside("gwA") + list(before) + self.gateway.command_line()
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, preexec_fn=preexec, check=False)
        said = done.stderr.strip()
        print(f"    {said}")
        self.assertEqual(done.returncode, 1, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        for part in expected:
            self.assertIn(part, said)

    def assert_nothing_applied(self):
        self.assertNotIn("10.1.0.", self.gateway.ip("-o", "-4", "addr"))
        self.assertNotIn("xdp", self.gateway.ip("link"))
        pinned = [f for _, _, files in os.walk(self.gateway.bpf_dir) for f in files]
        self.assertEqual(pinned, [])

    def test_a_bad_line_in_the_configuration(self):
        self.gateway.configure("set interface ha1 zone ha\n# a comment\nset nsrp cluzter id 1\n")
        self.fails("nsrp.conf:3:", '"cluzter"')
        self.assert_nothing_applied()

    def test_a_number_out_of_range_in_the_configuration(self):
        self.gateway.configure("set nsrp cluster id 1\nset nsrp vsd-group id 0 priority 255\n")
        self.fails("nsrp.conf:2:", '"255"', "1-254")
        self.assert_nothing_applied()

    def test_a_command_that_is_no_configuration(self):
        self.gateway.configure("get nsrp\n")
        self.fails("nsrp.conf:1:")

    def test_a_configuration_that_cannot_be_read(self):
        self.gateway.configure("")
        os.remove(self.gateway.config_file)
        os.mkdir(self.gateway.config_file)  # root reads any file, but not a directory
        self.fails("nsrp.conf", "cannot read")

    def test_a_second_daemon_with_the_same_run_directory(self):
        self.gateway.start()
        self.lab.wait_master("gwA")
        self.fails(str(self.gateway.process.pid), self.gateway.run_dir)
        self.assertEqual(self.lab.masters(), ["gwA"], "the first daemon goes on")

    def test_without_root(self):
        os.chmod(self.gateway.folder, 0o777)
        self.fails("root", before=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"))
        self.assert_nothing_applied()

    def test_without_type_information_of_the_kernel(self):
        hide = "mount -t tmpfs none /sys/kernel/btf && exec \"$@\""
        self.fails("BTF", before=("unshare", "--mount", "sh", "-c", hide, "sh"))
        self.assert_nothing_applied()

    def test_where_seccomp_refuses_io_uring(self):
        self.fails("io_uring", preexec=refuse_io_uring)
        self.assert_nothing_applied()


if __name__ == "__main__":
    main()
