#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's cloud kernel and its modules into the folder given, for the tests
# and benchmarks that need a Linux guest.  Unpacked, not installed: it is not
# this machine's kernel, and must not become what it boots.
set -eu
out=$1
rm -rf "$out.new"
mkdir -p "$out.new/deb"

download()
{
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		awk '$1 == "Depends:" && /^ *Depends: linux-image-/ { print $2; exit }')
	[ -n "$package" ] && (cd "$out.new/deb" && apt-get -q download "$package")
}

# Not in the lists, or no longer in the archive: the lists are too old.
download 2>/dev/null || {
	sudo=""
	[ "$(id -u)" = 0 ] || sudo="sudo"
	$sudo apt-get update -q
	download
}
dpkg-deb -x "$out.new"/deb/*.deb "$out.new"
rm -rf "$out.new/deb"
mv "$out.new"/boot/vmlinuz-* "$out.new/vmlinuz"
mv "$out.new"/lib/modules/* "$out.new/modules"
rm -rf "$out.new/boot" "$out.new/lib" "$out.new/usr" "$out"
mv "$out.new" "$out"
