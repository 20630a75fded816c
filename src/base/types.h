/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer types with a meaning, and the page size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t; /* physical address */
typedef uint64_t vaddr_t; /* virtual address, of the kernel or the program */
#ifndef __ssize_t_defined
typedef long ssize_t;
#define __ssize_t_defined
#endif

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (PAGE_SIZE - 1)
