# SPDX-License-Identifier: Apache-2.0
"""Small virtual machines for tests: a Debian kernel, a tiny initramfs, the host's own root file system."""
