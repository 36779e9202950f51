/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FERRY_SDXI_DEVICE_H
#define FERRY_SDXI_DEVICE_H

#include "base/base.h"

/*
 * Looks for hardware that user space can use. There is none yet: always -ENODEV or -EOPNOTSUPP,
 * with what is missing in why. The roots are "" outside tests.
 */
int __must_check sdxi_device_probe(const char *sys_root, const char *dev_root, char *why,
				   size_t why_bytes);

#endif
