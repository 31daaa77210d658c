# SPDX-License-Identifier: Apache-2.0
"""Debian kernels as files: downloaded and unpacked into a cache, never installed.

    kernel = kernels.obtain("6.1", Path("build/vm"))
    kernel.image      the uncompressed ELF, which qemu boots without the (emulated, slow) decompressor
    kernel.modules    lib/modules/<release>, with modules.dep
"""
import dataclasses
import fcntl
import lzma
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

# Cloud and real-time flavours lack the 9p file system or differ in locking; the standard one is what gateways run.
PACKAGES = {
    "6.1": r"linux-image-6\.1\.0-\d+-amd64",
    "6.12": r"linux-image-6\.12\.\d+\+deb12-amd64",
}


class KernelError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Kernel:
    series: str
    release: str  # as uname -r prints it
    image: Path
    modules: Path
    config: Path

    def has_option(self, name):
        """Whether CONFIG_<name> is built in or a module."""
        return re.search(rf"^CONFIG_{name}=[ym]$", self.config.read_text(), re.MULTILINE) is not None


def obtain(series, cache):
    """The newest kernel of the series that apt knows, else the newest one in the cache."""
    cache = Path(cache).resolve() / "kernels"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        package = _newest(_packages_in_apt(series))
        if package is None or not (cache / package).is_dir():
            try:
                package = _fetch(series, package, cache)
            except KernelError:
                package = _newest(_packages_in_cache(series, cache))
                if package is None:
                    raise
        return _describe(series, cache / package)


def _run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KernelError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-400:]}")
    return done.stdout


def _packages_in_apt(series):
    pattern = PACKAGES[series]
    names = _run("apt-cache", "pkgnames", "linux-image-" + series.split("-", maxsplit=1)[0]).split()
    return [name for name in names if re.fullmatch(pattern, name)]


def _packages_in_cache(series, cache):
    return [entry.name for entry in cache.iterdir() if re.fullmatch(PACKAGES[series], entry.name)]


def _newest(packages):
    """By the numbers in the name: 6.12.111 is newer than 6.12.90."""
    return max(packages, key=lambda name: [int(n) for n in re.findall(r"\d+", name)], default=None)


def _fetch(series, package, cache):
    try:
        return _download(package, cache)
    except KernelError:
        # The package lists may be older than the archive, which drops superseded kernels.
        _run("apt-get", "update", "-qq")
        package = _newest(_packages_in_apt(series))
        if package is None:
            raise KernelError(f"apt knows no kernel package {PACKAGES[series]}") from None
        return _download(package, cache)


def _download(package, cache):
    if package is None:
        raise KernelError("no package")
    scratch = Path(tempfile.mkdtemp(prefix=".unpack-", dir=cache))
    try:
        _run("apt-get", "-o", "APT::Sandbox::User=root", "download", package, cwd=scratch)
        (archive,) = scratch.glob("*.deb")
        tree = scratch / "tree"
        _run("dpkg-deb", "-x", archive, tree)
        archive.unlink()
        (image,) = (tree / "boot").glob("vmlinuz-*")
        release = image.name.removeprefix("vmlinuz-")
        (tree / "boot" / "vmlinux").write_bytes(extract_elf(image.read_bytes()))
        _run("depmod", "-b", tree, release)
        tree.rename(cache / package)
    finally:
        shutil.rmtree(scratch)
    return package


def _describe(series, tree):
    (config,) = (tree / "boot").glob("config-*")
    release = config.name.removeprefix("config-")
    return Kernel(series, release, tree / "boot" / "vmlinux", tree / "lib" / "modules" / release, config)


def extract_elf(bz_image):
    """The kernel proper out of a bzImage (x86 boot protocol: Documentation/arch/x86/boot.rst)."""
    setup_sectors = bz_image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", bz_image, 0x248)  # payload_offset, payload_length
    begin = (setup_sectors + 1) * 512 + offset
    payload = bz_image[begin : begin + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        elf = lzma.LZMADecompressor().decompress(payload)  # the size appended by the build is left over
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        elf = subprocess.run(["zstd", "-dcq"], input=payload, capture_output=True, check=False).stdout
    else:
        raise KernelError(f"unknown kernel compression {payload[:6].hex()}")
    if not elf.startswith(b"\x7fELF"):
        raise KernelError("the kernel image holds no ELF file")
    return elf
