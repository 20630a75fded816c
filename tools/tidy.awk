# SPDX-License-Identifier: Apache-2.0
#
# Checks of the source itself, one pass over the files named.  Prints
# FILE:LINE: what is wrong; ends with status 1 if anything was.

function complain(what)
{
	printf "%s:%d: %s\n", FILENAME, FNR, what
	bad++
}

BEGIN {
	while ((getline line < "tools/layers.txt") > 0) {
		if (line ~ /^#/ || line == "")
			continue
		n = split(line, w, " ")
		layer[w[1]] = 1
		for (i = 1; i <= n; i++)
			may[w[1], w[i]] = 1
	}
	while ((getline line < "src/klib/exports") > 0)
		if (line ~ /^[a-z0-9_\/]+\.h$/)
			exported[line] = 1
}

FNR == 1 {
	mine = ""
	split(FILENAME, parts, "/")
	if (parts[1] == "src")
		mine = parts[2]
	if ($0 !~ /SPDX-License-Identifier: Apache-2\.0/ && \
	    FILENAME !~ /\.py$/)
		complain("the first line is not the SPDX line")
}

# What clang-format decides by itself is not judged here; see .clang-format.
{
	line = $0
	width = 0
	while ((at = index(line, "\t")) > 0) {
		width = int((width + at - 1) / 8) * 8 + 8
		line = substr(line, at + 1)
	}
	if (width + length(line) > 84)
		complain("a line of over 84 columns (aim for 80)")
}
/^        / && !/\\$/ { complain("indented by spaces") }
/[ \t]$/ { complain("white space at the end of the line") }
/[T]ODO|[F]IXME|[X]XX/ { complain("do it, or write it into docs/limits.md") }

mine != "" && mine != "arch" && mine != "abi" && /^#[ \t]*(el)?if.*__(x86_64|aarch64)__/ {
	complain("an architecture outside of src/arch")
}

mine != "" && /^#include </ {
	name = $2
	gsub(/[<>]/, "", name)
	if (split(name, inc, "/") < 2) {
		if (name != "stdint.h" && name != "stddef.h" && \
		    name != "stdbool.h" && name != "stdarg.h")
			complain("a public header has its folder: " name)
	} else if (inc[1] in layer && !((mine, inc[1]) in may)) {
		complain(mine " may not include " inc[1])
	}
}

FILENAME ~ /^klib\// && /^#include </ {
	name = $2
	gsub(/[<>]/, "", name)
	if (name !~ /^(base|abi)\// && !(name in exported))
		complain("a header that src/klib/exports does not name: " name)
}

mine != "" && /^#include "/ && /\.\.\/|\// {
	if (FILENAME !~ /arch\/|fs\/|drivers\//)
		complain("a private header is of the own folder")
}

END { exit bad > 0 }
