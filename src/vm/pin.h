/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's pages for a device: O_DIRECT.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct page;

/* The frame of the program's memory at p, referenced, after a fault if need
 * be; write: the device will write to it.  NULL: there is none to be had
 * (not mapped, or a page of an object, which its owner may write to a device
 * meanwhile): copy.  A frame stays the program's until it unmaps the page,
 * and alive until page_put().  May sleep. */
struct page *user_pin_page(const void __user *p, bool write);
