#!/bin/sh
# Installs what Mayfly needs beside Rust: QEMU and a C compiler; with the word `test`, also the programs that tests drive
# the machine with, UEFI firmware, and what ISOs are made with. Debian and its relatives; elsewhere it says what to install.
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
    need grub-mkimage grub-common
    need xorriso xorriso
    has /usr/lib/grub/i386-pc/multiboot2.mod grub-pc-bin
    has /usr/share/ovmf/OVMF.fd ovmf
fi
[ -n "$packages" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "mayfly: please install:$packages (this is no Debian, so the set-up cannot do it)" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "mayfly: please run as root: apt-get install$packages" >&2; exit 1; }
    sudo=sudo
fi
echo "mayfly: installing$packages" >&2
# Package lists may be old or absent: refreshed only when the first try fails.
install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends $packages; }
install || { $sudo apt-get update --quiet && install; }
