# SPDX-License-Identifier: Apache-2.0
"""Running commands inside the lab's hosts, waiting for conditions, ending processes."""
import os
import signal
import subprocess
import time


class LabError(Exception):
    """Something about the lab, in one sentence for the person in front of it."""


def run(command, check=True, text_input=None):
    """Runs a command to its end. A failure shows the command and what it said."""
    done = subprocess.run([str(w) for w in command], input=text_input, capture_output=True, text=True)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"'{' '.join(map(str, command))}' failed ({done.returncode}): {said}")
    return done


def run_together(commands):
    """Starts several (command, text for its input) at once and waits for all: cables are cut in the same moment."""
    started = [(c, text, subprocess.Popen(c, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                          text=True)) for c, text in commands]
    for _, text, process in started:
        process.stdin.write(text)
        process.stdin.close()
    failures = []
    for command, _, process in started:
        with process.stderr as stderr:
            said = stderr.read().strip()
        if process.wait() != 0:
            failures.append(f"'{' '.join(command)}' failed ({process.returncode}): {said}")
    if failures:
        raise LabError("; ".join(failures))


def wait_until(condition, deadline_s, what, interval_s=0.05, instead=lambda: ""):
    """Polls until condition() is truthy and returns its value; after the deadline says what never came, and what
    instead() sees."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise LabError(f"{what}: not within {deadline_s} s {instead()}".rstrip())
        time.sleep(interval_s)


def start_time(pid):
    """A process's start in clock ticks since boot: with the pid it names a process for good. None: no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


class Process:
    """A process we started, possibly in an earlier run of the lab's command; known by pid and start time."""

    def __init__(self, pid, started, child=None):
        self.pid, self.started, self.child = pid, started, child

    @staticmethod
    def spawn(command, output=subprocess.DEVNULL, env=None):
        child = subprocess.Popen([str(w) for w in command], stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=subprocess.STDOUT, start_new_session=True, env=env)
        return Process(child.pid, start_time(child.pid), child)

    def alive(self):
        if self.child is not None and self.child.poll() is not None:
            return False
        return self.started is not None and start_time(self.pid) == self.started

    def send(self, signal_number):
        if self.alive():
            os.kill(self.pid, signal_number)

    def wait(self, deadline_s):
        """Waits for the end; returns the exit status when it was our child, else None."""
        wait_until(lambda: not self.alive(), deadline_s, f"end of process {self.pid}", 0.01)
        return self.child.wait() if self.child is not None else None

    def end(self, deadline_s=5):
        """SIGTERM, and SIGKILL for who does not listen."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            return self.wait(deadline_s)
        except LabError:
            return self.kill()

    def kill(self):
        self.send(signal.SIGKILL)
        return self.wait(5)
