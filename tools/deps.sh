#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages named in the file given that are missing, with
# sudo where not root.  Quick when all are there.
set -eu
missing=""
for p in $(sed 's/#.*//' "$1"); do
	dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null |
		grep -q '^installed$' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
# What comes for a test must not begin to serve on this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
	$sudo chmod 755 $policy
	trap '$sudo rm -f $policy' EXIT
fi
# Another apt-get may be at work: wait for it.
wait="-o DPkg::Lock::Timeout=300"
$sudo apt-get $wait update -q
# shellcheck disable=SC2086
$sudo apt-get $wait install -y -q --no-install-recommends $missing
