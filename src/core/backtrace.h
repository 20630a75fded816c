/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel backtraces by frame pointers.
 */
#pragma once

#include <base/types.h>

/* Calls fn for each return address above the frame fp. */
void backtrace_walk(uint64_t fp, void (*fn)(uint64_t pc));
/* A kernel address as the linked image has it (KASLR taken out). */
uint64_t backtrace_linked(uint64_t pc);
