/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the system: uname(2), /proc/sys/kernel.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct utsname;

void uts_get(struct utsname *u);
/* Names of at most 64 bytes; -EINVAL. */
MUST_CHECK int uts_set_hostname(const char *name, size_t len);
MUST_CHECK int uts_set_domainname(const char *name, size_t len);

void uts_proc_init(void); /* registers its entries in /proc */
