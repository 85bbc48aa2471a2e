/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* sk_msg programs of kernel HTTP, called by tulle_skmsg. */
#include "lib/http_client.h"
