/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library takes from the cost model where a machine's costs were measured: the mover, the
 * number of workers, the size of chunks, and from which size on a request is planned at all. The
 * model chooses only among what the rules permit (policy.h), and only by measured costs.
 */
#ifndef FERRY_FOLLOW_H
#define FERRY_FOLLOW_H

#include "policy/choose.h"
#include "policy/policy.h"

/* True if the costs of this engine were measured, with enough confidence, for such a run. */
bool policy_follows(const struct choose_question *question, enum choose_engine engine);

/*
 * Asks the model. The engine is the context's, and all of the run goes by it. The mover is the
 * kernel's only if both movers' costs were measured for this distance and folio size; nothing is
 * known if the engine's were not.
 */
void policy_advise(const struct choose_question *question, enum choose_engine engine,
		   enum policy_mode mode, struct policy_advice *out);

/*
 * From how many pages of 4 KiB on something beats the plain call; 0: that was not measured. The
 * bytes of the question do not matter.
 */
unsigned int policy_crossing_pages(const struct choose_question *question);

#endif
