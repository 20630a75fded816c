#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What the kernel exports to klibs, from src/klib/exports.
#
#   exports.sh table DEBUG             the table, as assembly on stdout
#   exports.sh check DEBUG KLIB [NM]   whether KLIB wants anything else
set -eu
what=$1 debug=$2

symbols()
{
	awk -v debug="$debug" '/^\t/ && !/^\t\*/ { print $1 }
		/^\t\*/ && debug == 1 { print substr($1, 2) }' \
		src/klib/exports | LC_ALL=C sort -u
}

case $what in
table)
	symbols | awk '
	{ name[n++] = $1 }
	END {
		print "/* Made by tools/exports.sh. */"
		print "\t.section .rodata.klib_exports, \"a\""
		print "\t.balign 4"
		print "\t.globl klib_exports, klib_nexports"
		print "klib_nexports:\n\t.long " n
		print "klib_exports:"
		for (i = 0; i < n; i++) {
			print "\t.long .Lname" i " - ."
			print "\t.long " name[i] " - ."
		}
		for (i = 0; i < n; i++)
			print ".Lname" i ":\n\t.asciz \"" name[i] "\""
		print "\t.section .note.GNU-stack, \"\""
	}' ;;
check)
	list=$(mktemp)
	trap 'rm -f "$list"' EXIT
	symbols > "$list"
	missing=$("${4:-nm}" -u "$3" | awk '{ print $NF }' | LC_ALL=C sort |
		LC_ALL=C comm -23 - "$list")
	[ -z "$missing" ] || {
		echo "$3 wants what src/klib/exports does not name:" \
			$missing >&2
		exit 1
	} ;;
esac
