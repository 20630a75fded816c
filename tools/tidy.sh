#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Checks of the source itself: layers, words, style, the system call table,
# headers that compile alone.  tools/tidy.sh BUILD
set -u
build=${1:-build}
bad=0

# shellcheck disable=SC2046
awk -f tools/tidy.awk $(find src platform klib tools -name '*.[chS]') || bad=1

# The style, as .clang-format has it.
# shellcheck disable=SC2046
clang-format --dry-run -Werror \
	$(find src platform klib tools test -name '*.[ch]') || bad=1

# The table: its documentation is up to date.
mkdir -p "$build/gen/linux" "$build/gen/abi"
awk -v out="$build/gen" -v arch=x86_64 -f tools/syscalls.awk \
	src/linux/syscalls.tbl || bad=1
cmp -s "$build/gen/syscalls.md" docs/syscalls.md || {
	echo "docs/syscalls.md is not of src/linux/syscalls.tbl:" \
		"cp $build/gen/syscalls.md docs/"
	bad=1
}

# Every full row has a test: a file of its name, or one with the name in a
# comment line "CALLS:".
awk '
FNR == 1 { f = FILENAME; sub(/.*\//, "", f); sub(/\.c$/, "", f); have[f] = 1 }
/CALLS:/ && FILENAME ~ /\.c$/ { sub(/.*CALLS:/, "")
	for (i = 1; i <= NF; i++) have[$i] = 1
}
FILENAME ~ /\.tbl$/ && /^[0-9-]/ && $3 == "full" {
	name = $4
	sub(/\(.*/, "", name)
	if (!(name in have)) {
		print "test/abi has no test for " name ", a full call"
		bad = 1
	}
}
END { exit bad }' test/abi/*.c src/linux/syscalls.tbl || bad=1

# Each header compiles alone.
all=$(mktemp -d)
trap 'rm -rf "$all"' EXIT
for h in $(find src -name '*.h' -path '*/*' ! -path 'src/arch/*' ! -name '*_priv.h'); do
	case $h in
	src/fs/ext4/*|src/fs/pseudo/*|src/net/lwip/*) continue ;;
	esac
	printf '#include <%s>\n' "${h#src/}" > "$all/h.c"
	gcc -std=gnu11 -ffreestanding -fsyntax-only -I src \
		-I src/arch/x86_64/include -I "$build/gen" "$all/h.c" || {
		echo "$h does not compile alone"
		bad=1
	}
done
[ $bad = 0 ] && echo "tidy: no complaints"
exit $bad
