#!/bin/sh
# Installs what Mayfly needs beside Rust: QEMU and a C compiler; with the word `test`, also the programs that tests drive
# the machine with, UEFI firmware, Bochs, and what ISOs are made with; with the word `bench`, also what the Linux that is measured
# beside is made with. Debian and its relatives; elsewhere it says what to install.
set -eu
packages=""
has() { [ -e "$1" ] || packages="$packages $2"; }
need() { command -v "$1" >/dev/null || packages="$packages $2"; }
need qemu-system-x86_64 qemu-system-x86
need cc "gcc libc6-dev"
if [ "${1-}" = test ]; then
    need curl curl
    need wrk wrk
    need ab apache2-utils
    need h2load nghttp2-client
    need python3 python3
    need tshark tshark
    need ip iproute2
    need chromium chromium
    need grub-mkimage grub-common
    need xorriso xorriso
    has /usr/lib/grub/i386-pc/multiboot2.mod grub-pc-bin
    has /usr/share/ovmf/OVMF.fd ovmf
    need bochs bochs
    has /usr/share/bochs/BIOS-bochs-latest bochsbios
    has /usr/share/vgabios/vgabios.bin vgabios
    has /usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so bochs-term
fi
# What Linux is made with may be missing: it is left out of the benchmarks then.
refresh=""
extra=""
if [ "${1-}" = bench ] && command -v apt-get >/dev/null; then
    apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || refresh=yes
    command -v xz >/dev/null || extra=xz-utils
fi
[ -n "$packages$refresh$extra" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "mayfly: please install:$packages (this is no Debian, so the set-up cannot do it)" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        [ -n "$packages" ] || exit 0
        echo "mayfly: please run as root: apt-get install$packages" >&2
        exit 1
    fi
    sudo=sudo
fi
soft() { echo "mayfly: apt-get $*" >&2; $sudo apt-get "$@" --quiet || echo "mayfly: that failed; Linux may be left out" >&2; }
[ -z "$refresh" ] || soft update
[ -z "$extra" ] || soft install --yes "$extra"
[ -n "$packages" ] || exit 0
echo "mayfly: installing$packages" >&2
# Package lists may be old or absent: refreshed only when the first try fails.
install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends $packages; }
install || { $sudo apt-get update --quiet && install; }
