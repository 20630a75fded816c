# SPDX-License-Identifier: Apache-2.0
#
# Reads src/linux/syscalls.tbl and writes, into the folder `out`:
#   linux/syscalls_gen.h  kinds, prototypes of the sys_ functions
#   abi/syscall_nr.h      SYS_ numbers of this architecture
#   syscall_table.c       decoders and the table (linux/table.h)
#   syscalls.md           the documentation (docs/syscalls.md is a copy)
#
# A line is one of
#   kind NAME "C TYPE" PRINTER
#   X86NR AARCH64NR LEVEL NAME(KIND ARG, ...)   # NOTE
# where a number may be "-".  Levels: full, part, stub, none; all but full
# need a note (none: a reason in words, or nothing for "not yet").

function die(msg)
{
	printf "%s:%d: %s\n", FILENAME, FNR, msg > "/dev/stderr"
	failed = 1
	exit 1
}

function trim(s)
{
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

/^[ \t]*(#|$)/ { next }

$1 == "kind" {
	if (!match($0, /"[^"]*"/))
		die("kind without a C type")
	ktype[$2] = substr($0, RSTART + 1, RLENGTH - 2)
	kprinter[$2] = $NF
	korder[++nkinds] = $2
	next
}

{
	line = $0
	note = ""
	if ((i = index(line, "#")) > 0) {
		note = trim(substr(line, i + 1))
		line = substr(line, 1, i - 1)
	}
	nr = arch == "x86_64" ? $1 : $2
	level = $3
	if (level !~ /^(full|part|stub|none)$/)
		die("level " level)
	if ((level == "part" || level == "stub") && note == "")
		die(level " needs a note")
	if (!match(line, /[a-z_0-9]+\(.*\)/))
		die("no prototype")
	proto = substr(line, RSTART, RLENGTH)
	name = substr(proto, 1, index(proto, "(") - 1)
	args = substr(proto, length(name) + 2)
	sub(/\)[ \t]*$/, "", args)
	n = 0
	if (trim(args) != "")
		n = split(args, parts, ",")
	if (n > 6)
		die("more than six arguments")
	if (name in seen)
		die(name " twice")
	seen[name] = 1
	c_args = ""
	call = ""
	init = ""
	for (i = 1; i <= n; i++) {
		split(trim(parts[i]), kv, /[ \t]+/)
		if (!(kv[1] in ktype))
			die("unknown kind " kv[1])
		t = ktype[kv[1]]
		sep = t ~ /\*$/ ? "" : " "
		c_args = c_args ", " t sep kv[2]
		call = call ", (" t ")regs_syscall_arg(r, " (i - 1) ")"
		init = init sprintf("KIND_%s, ", kv[1])
	}
	rows[++nrows] = name
	x86[name] = $1
	arm[name] = $2
	lev[name] = level
	notes[name] = note
	cproto[name] = "long sys_" name "(struct thread *t" c_args ")"
	ccall[name] = "sys_" name "(t" call ")"
	cinit[name] = init
	nargs[name] = n
	number[name] = nr
	if (nr != "-") {
		if (nr !~ /^[0-9]+$/ || nr + 0 >= 512)
			die("number " nr)
		if (nr in used)
			die("number " nr " twice")
		used[nr] = name
	}
}

END {
	if (failed)
		exit 1
	spdx = "/* SPDX-License-Identifier: Apache-2.0 */\n" \
	    "/* Generated from src/linux/syscalls.tbl; do not edit. */\n"
	h = out "/linux/syscalls_gen.h"
	print spdx "#pragma once\n" > h
	print "#include <base/compiler.h>\n#include <base/types.h>\n" > h
	print "struct thread;\n\nenum syscall_kind {" > h
	for (i = 1; i <= nkinds; i++)
		print "\tKIND_" korder[i] "," > h
	print "\tKIND_COUNT\n};\n" > h
	print "/* X(kind, printer) for each kind: the tracer's table. */" > h
	printf "#define SYSCALL_KINDS(X)" > h
	for (i = 1; i <= nkinds; i++)
		printf " \\\n\tX(%s, %s)", korder[i], kprinter[korder[i]] > h
	print "\n" > h

	c = out "/syscall_table.c"
	print spdx "#include <arch/trap.h>\n#include <linux/syscalls_gen.h>\n" \
	    "#include <linux/table.h>\n" > c
	m = out "/abi/syscall_nr.h"
	print spdx "#pragma once\n" > m
	d = out "/syscalls.md"
	print "# System calls\n\nGenerated from `src/linux/syscalls.tbl`. " \
	    "full: as on Linux; part: see the note; stub: Linux's own no-op, " \
	    "or as the note says; none: answers ENOSYS.\n" > d
	print "| x86-64 | aarch64 | call | level | note |" > d
	print "|---|---|---|---|---|" > d
	for (i = 1; i <= nrows; i++) {
		name = rows[i]
		count[lev[name]]++
		if (lev[name] != "none")
			print cproto[name] ";" > h
		if (number[name] != "-")
			print "#define SYS_" name " " number[name] > m
		printf "| %s | %s | %s | %s | %s |\n", x86[name], arm[name], \
		    name, lev[name], notes[name] > d
		if (number[name] == "-" || lev[name] == "none")
			continue
		print "static long\ndecode_" name "(struct thread *t, " \
		    "const struct regs *r)\n{" > c
		if (!nargs[name])
			print "\t(void)r;" > c
		print "\treturn " ccall[name] ";\n}\n" > c
	}
	printf "\n%d full, %d part, %d stub, %d none.\n", count["full"], \
	    count["part"], count["stub"], count["none"] > d
	print "const char syscall_names[] =" > c
	at = 1
	for (i = 1; i <= nrows; i++) {
		name = rows[i]
		if (number[name] == "-")
			continue
		print "\t\"\\0" name "\"" > c
		offset[name] = at
		at += length(name) + 1
	}
	print "\t;\n\nconst struct syscall_desc syscall_table[SYSCALL_MAX] = {" > c
	for (i = 1; i <= nrows; i++) {
		name = rows[i]
		if (number[name] != "-")
			printf "\t[%d] = { %d, %d, { %s} }, /* %s */\n", \
			    number[name], offset[name], nargs[name], \
			    cinit[name], name > c
	}
	print "};\n" > c
	print "long (*const syscall_fn[SYSCALL_MAX])(struct thread *t, " \
	    "const struct regs *r) = {" > c
	for (i = 1; i <= nrows; i++) {
		name = rows[i]
		if (number[name] != "-" && lev[name] != "none")
			printf "\t[%d] = decode_%s,\n", number[name], name > c
	}
	print "};" > c
}
