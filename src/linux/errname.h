/* SPDX-License-Identifier: Apache-2.0 */
/* Error numbers in words. */
#pragma once

/* "ENOENT", "No such file or directory" for 2; NULL: there is none such. */
const char *err_name(long err);
const char *err_text(long err);
