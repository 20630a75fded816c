#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# lwIP, the TCP/IP engine, from Debian's source package into the folder given:
# fetched as any user with private apt folders and a deb-src entry of its own,
# checked against the checksum below, unpacked, and our patches applied.
#
#	tools/lwip.sh OUT PATCHES
#
# Fetched once: OUT.deb keeps the package's files for the next patch.
set -eu
out=$1
patches=$2
version=2.1.3+dfsg1-2
dsc=lwip_$version.dsc
sum=8d8f944db8e6d542fc2d6f01559078fb1b5dda71651c67ee5fa3571ed1342c50
suite=bookworm
mirror=http://deb.debian.org/debian

fail()
{
	echo "lwip: $*" >&2
	exit 1
}

fetch()
{
	apt=$1/apt
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r $key ] || fail "Debian's keys are missing:" \
		"apt-get install debian-archive-keyring"
	echo "deb-src [signed-by=$key] $mirror $suite main" > "$apt/src.list"
	cat > "$apt/conf" <<-END
	Dir::Etc::sourcelist "$apt/src.list";
	Dir::Etc::sourceparts "$apt/none";
	Dir::State "$apt";
	Dir::State::lists "$apt/lists";
	Dir::Cache "$apt/cache";
	APT::Sandbox::User "";
	END
	APT_CONFIG=$apt/conf apt-get -q update > "$apt/log" 2>&1 &&
	(cd "$1" && APT_CONFIG=$apt/conf apt-get -q source \
		--download-only "lwip=$version" >> "$apt/log" 2>&1) || {
		tail -n 5 "$apt/log" >&2
		fail "Debian's source package of lwIP could not be fetched from" \
			"$mirror: the first build needs the network"
	}
	rm -rf "$apt"
}

case $out in /*) ;; *) out=$PWD/$out ;; esac
case $patches in /*) ;; *) patches=$PWD/$patches ;; esac
if [ ! -r "$out.deb/$dsc" ]; then
	rm -rf "$out.deb.new"
	mkdir -p "$out.deb.new"
	fetch "$out.deb.new"
	rm -rf "$out.deb"
	mv "$out.deb.new" "$out.deb"
fi
echo "$sum  $out.deb/$dsc" | sha256sum -c --status || {
	rm -rf "$out.deb"
	fail "$dsc is not the one that was reviewed (checksum)"
}
rm -rf "$out.new"
dpkg-source --no-check -x "$out.deb/$dsc" "$out.new" > "$out.log" 2>&1 ||
	{ tail -n 5 "$out.log" >&2; fail "$dsc does not unpack"; }
# Some of its files have CRs: patches would be full of them.
find "$out.new/src" -name '*.[ch]' -exec sed -i 's/\r$//' {} +
for p in "$patches"/*.patch; do
	[ -e "$p" ] || continue
	patch -s -p1 -d "$out.new" < "$p" || fail "$p does not apply"
done
rm -rf "$out"
mv "$out.new" "$out"
