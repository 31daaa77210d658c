# SPDX-License-Identifier: Apache-2.0
"""One guest: qemu with emulated CPUs (KVM is not there on every builder), and scripts run in it by its agent.

    with Machine("gw", kernel, initramfs, directory, wire.run_inside(), [Nic("tap0", "52:54:00:00:00:01")]) as gw:
        print(gw.check("ip -br link"))
        daemon = gw.start("nsrpd …")
        gw.signal(daemon, signal.SIGTERM)
        gw.wait(daemon)
"""
import dataclasses
import os
import signal
import socket
import struct
import subprocess
import threading

START, SIGNAL = 1, 2
HELLO, OUT, ERR, EXIT = 16, 17, 18, 19
HEADER = struct.Struct("<III")


class MachineError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Nic:
    tap: str
    mac: str


@dataclasses.dataclass
class Job:
    """A script running in the guest. status is None until it ended."""

    script: str
    number: int
    out: bytearray = dataclasses.field(default_factory=bytearray)
    err: bytearray = dataclasses.field(default_factory=bytearray)
    status: int | None = None
    ended: threading.Event = dataclasses.field(default_factory=threading.Event)

    def stdout(self):
        return self.out.decode(errors="replace")

    def stderr(self):
        return self.err.decode(errors="replace")

    def output(self):
        return self.stdout() + self.stderr()


class Machine:
    # Ready in 5 s on an idle machine; a builder that also compiles has needed two minutes.
    BOOT_DEADLINE_S = 240

    def __init__(self, name, kernel, initramfs, directory, launcher, nics, memory_mb=256):
        self.name, self.kernel, self.initramfs = name, kernel, initramfs
        self.directory, self.launcher, self.nics, self.memory_mb = directory, launcher, nics, memory_mb
        self._process = None
        self._port = None
        self._jobs = {}
        self._hello = threading.Event()
        self._gone = False

    def __enter__(self):
        try:
            self._boot()
        except BaseException:
            self.power_off()
            raise
        return self

    def __exit__(self, *_):
        self.power_off()

    def start(self, script):
        """Begins a script and returns at once."""
        job = Job(script, len(self._jobs) + 1)
        self._jobs[job.number] = job
        self._send(START, job.number, script.encode())
        return job

    def wait(self, job, deadline_s=60):
        if not job.ended.wait(deadline_s):
            self.signal(job, signal.SIGKILL)
            raise MachineError(f"{self.name}: not done after {deadline_s} s: {job.script}\n{job.output()}")
        if job.status is None:
            raise MachineError(f"{self.name}: the guest died during: {job.script}\n{self.console()[-2000:]}")
        return job

    def signal(self, job, number):
        """To the script and all it started that did not leave its process group."""
        self._send(SIGNAL, job.number, struct.pack("<I", number))

    def run(self, script, deadline_s=60):
        return self.wait(self.start(script), deadline_s)

    def check(self, script, deadline_s=60):
        """Runs a script that must succeed and returns what it printed."""
        job = self.run(script, deadline_s)
        if job.status != 0:
            raise MachineError(f"{self.name}: exit {job.status}: {script}\n{job.output()}")
        return job.stdout()

    def console(self):
        return (self.directory / "console").read_text(errors="replace")

    def power_off(self):
        """Pulls the plug: nothing in the guest is worth saving."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._port is not None:
            self._port.close()

    def _boot(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        ours, qemus = socket.socketpair()
        self._port = ours
        with qemus, open(self.directory / "qemu.log", "wb") as log:
            # However this process ends, the guest ends with it.
            command = ["setpriv", "--pdeathsig", "KILL", *self.launcher, *self._command_line(qemus.fileno())]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[qemus.fileno()]
            )
        threading.Thread(target=self._receive, daemon=True).start()
        if not self._hello.wait(self.BOOT_DEADLINE_S) or self._gone:
            said = (self.directory / "qemu.log").read_text(errors="replace")
            raise MachineError(f"{self.name} did not come up: {said}\n{self.console()[-2000:]}")

    def _command_line(self, agent_fd):
        # nokaslr, tsc=reliable, no_timer_check, mitigations=off: each saves boot time that only emulation costs.
        append = (
            "console=ttyS0 quiet panic=-1 nokaslr tsc=reliable no_timer_check mitigations=off random.trust_cpu=on "
            f"guest.name={self.name} guest.modules={self.kernel.modules}"
        )
        command = ["qemu-system-x86_64", "-name", self.name, "-accel", "tcg,thread=multi", "-cpu", "max"]
        command += ["-machine", "q35", "-smp", "1", "-m", str(self.memory_mb)]
        command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        command += ["-kernel", self.kernel.image, "-initrd", self.initramfs, "-append", append]
        command += ["-serial", f"file:{self.directory / 'console'}", "-device", "virtio-rng-pci"]
        command += ["-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"]
        command += ["-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]
        command += ["-chardev", f"socket,id=agent,fd={agent_fd}", "-device", "virtio-serial-pci,id=serial"]
        command += ["-device", "virtserialport,bus=serial.0,chardev=agent,name=agent"]
        for index, nic in enumerate(self.nics):
            command += ["-netdev", f"tap,id=net{index},ifname={nic.tap},script=no,downscript=no"]
            command += ["-device", f"virtio-net-pci,netdev=net{index},mac={nic.mac}"]
        return [os.fspath(word) for word in command]

    def _send(self, kind, job, data):
        self._port.sendall(HEADER.pack(kind, job, len(data)) + data)

    def _receive(self):
        with self._port.makefile("rb") as stream:
            try:
                while True:
                    kind, number, length = HEADER.unpack(_exactly(stream, HEADER.size))
                    self._dispatch(kind, number, _exactly(stream, length))
            except (EOFError, OSError, ValueError):
                pass  # the guest is gone: whoever waits shall learn it at once
        self._gone = True
        self._hello.set()
        for job in list(self._jobs.values()):
            job.ended.set()

    def _dispatch(self, kind, number, data):
        if kind == HELLO:
            self._hello.set()
            return
        job = self._jobs[number]
        if kind == OUT:
            job.out += data
        elif kind == ERR:
            job.err += data
        elif kind == EXIT:
            (job.status,) = struct.unpack("<I", data)
            job.ended.set()


def _exactly(stream, size):
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
