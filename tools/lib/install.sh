# SPDX-License-Identifier: Apache-2.0
# Sourced by tools/demo and tools/test. install_packages SECTION…: installs what is missing of these sections of
# tools/packages, and touches nothing when all is there.

packages_of() {
    awk -v wanted=" $* " '/^\[/ { section = substr($0, 2, length($0) - 2); next }
        /^[^#]/ && index(wanted, " " section " ")' "$(dirname "${BASH_SOURCE[0]}")/../packages"
}

missing_packages() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u)
    comm -23 <(packages_of "$@" | sort -u) <(echo "$installed")
}

install_packages() {
    local missing
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    echo "installing:" $missing
    # Some of these start a service when installed (keepalived, conntrackd). Not on this machine: 101 means "forbidden".
    local policy=/usr/sbin/policy-rc.d made_policy=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        made_policy=yes
    fi
    local status=0
    # Package lists of a fresh machine are empty or old: fetch them only when they do not do.
    apt_install $missing 2>/dev/null || { apt-get -qq update && apt_install $missing; } || status=1
    [ -z "$made_policy" ] || rm -f $policy
    [ $status -eq 0 ] || echo "these packages could not be installed:" $missing >&2
    return $status
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" >/dev/null
}

need_root() {
    [ "$(id -u)" = 0 ] || { echo "$1 needs root: sudo $1" >&2; exit 1; }
}
