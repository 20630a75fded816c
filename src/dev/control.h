/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control port (abi/pith.h): frames to and from `pith`.
 *
 * Without the port (a cloud's console) frames for people go to the UART as
 * text, and the machine ends by power-off.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

/* Finds the port, says HELLO, starts the reader thread. */
void control_init(void);

/* Sends one frame; text longer than a frame is split.  May sleep; before
 * the scheduler runs and in a panic it polls. */
void control_send(uint16_t type, const void *payload, size_t len);
void control_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The handler of a host frame, by type; runs in the reader thread. */
void control_on(uint16_t type, void (*fn)(const void *payload, size_t len));

/* Sends the kernel's log to the host from here on (PITH_FLAG_VERBOSE).
 * -ENODEV: there is no port; -ENOMEM. */
MUST_CHECK int control_log_start(void);
bool control_has_log(void);

/* Drains the streams, sends the exit frame, ends the machine. */
NORETURN void control_exit(uint32_t kind, uint32_t code);
/* The same without waiting for the streams' readers (PITH_FRAME_STOP). */
NORETURN void control_exit_now(uint32_t kind, uint32_t code);
