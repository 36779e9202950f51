/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One phase of a run: all threads on an area of one folio size for a while, and a final check. */
#ifndef MIGBENCH_VERIFY_PHASE_H
#define MIGBENCH_VERIFY_PHASE_H

#include "cli/verify/run.h"

/* 0, or -errno after a message if the phase could not run. Failed checks are in verify->failure. */
int verify_phase(struct verify *verify, size_t folio_bytes, uint64_t phase_ns);

#endif
