#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A second compiler's opinion: clang over every file of the kernel, with user
# pointers as an address space of their own, so that reading one without the
# copy functions, or passing one as a kernel pointer, is an error.  What the
# port of lwIP includes is not ours, and is left out.  tools/lint.sh BUILD
set -u
build=${1:-build}
command -v clang > /dev/null || {
	echo "lint: clang is missing: make deps" >&2
	exit 1
}
find src platform klib -name '*.c' ! -path '*/vdso/*' ! -path 'src/net/lwip/*' |
	sort | xargs -P 2 -n 8 clang -std=gnu11 -ffreestanding -nostdinc \
	-isystem "$(clang -print-file-name=include)" -fsyntax-only \
	-DCHECK_USER -DPITH_VERSION='"lint"' -DKLIB_ID='""' -Werror -Wall -Wextra -Wundef \
	-Wshadow -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough \
	-Wmissing-variable-declarations -I src -I src/arch/x86_64/include \
	-I "$build/gen" || exit 1
echo "lint: no complaints"
