# SPDX-License-Identifier: Apache-2.0
"""Where the programs are: in the build directory named by NSRP_BUILD_DIR, else in build/release or build/dev."""
import os

from .system import LabError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PLACES = {
    "nsrpd": "userspace/daemon/nsrpd",
    "nsrp": "userspace/cli/nsrp",
    "nsrp-traffic": "tools/traffic/nsrp-traffic",
    "nsrp-sessions": "tools/sessions/nsrp-sessions",
    "nsrp-datapath-bench": "tools/datapath/nsrp-datapath-bench",
    "golden_player": "tests/golden/golden_player",
    "pass.bpf.o": "tools/nsrplab/pass.bpf.o",
}


def build_dir():
    named = os.environ.get("NSRP_BUILD_DIR")
    if named:
        return named
    for preset in ("release", "dev"):
        path = os.path.join(ROOT, "build", preset)
        if os.path.exists(os.path.join(path, PLACES["pass.bpf.o"])):
            return path
    raise LabError("nothing is built: run 'cmake --preset release && cmake --build --preset release', "
                   "or name a build directory in NSRP_BUILD_DIR")


def place(name):
    return os.path.join(build_dir(), PLACES[name])


def program(name):
    path = place(name)
    if not os.path.exists(path):
        raise LabError(f"{name} is not built: {path} does not exist")
    return path
