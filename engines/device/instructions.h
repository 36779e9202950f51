/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The instructions of x86 that submit descriptors to devices and wait for them. */
#ifndef FERRY_DEVICE_INSTRUCTIONS_H
#define FERRY_DEVICE_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Features of this CPU. */
bool device_cpu_has_enqcmd(void);
bool device_cpu_has_movdir64b(void);
bool device_cpu_has_waitpkg(void);

/* Only on a CPU with the feature. device_enqcmd(): true if the device accepted the descriptor. */
bool device_enqcmd(void *portal, const void *desc);
void device_movdir64b(void *portal, const void *desc);
/* Waits in C0.1 while the first byte of the line is 0, up to about max_cycles. */
void device_umwait(const void *line, uint64_t max_cycles);

/* What descriptors refer to must be in memory before a descriptor reaches the device. */
void device_fence(void);

#endif
