/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel backtraces by frame pointers.
 */
#pragma once

#include <base/types.h>

/* Calls fn for each return address above the frame fp. */
void backtrace_walk(uint64_t fp, void (*fn)(uint64_t pc));
/* Set by what loads code into the kernel: which piece pc lies in, and where
 * in it; NULL: nothing is loaded.  Called in a panic, on any CPU. */
extern bool (*backtrace_module)(uint64_t pc, const char **name,
				uint64_t *offset);
/* A kernel address as the linked image has it (KASLR taken out). */
uint64_t backtrace_linked(uint64_t pc);
