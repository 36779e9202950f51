// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdatomic.h>
#include <stdio.h>

#include "base/vault.h"
#include "include/pageferry.h"
#include "lib/api/machine_profile.h"
#include "lib/api/preload.h"
#include "lib/profile/machine_key.h"

/* What the drop-in has read from the environment; NULL: the library looks there itself. */
static _Atomic(const char *) profile_wanted;

void machine_profile_find(struct profile_found *out)
{
	struct profile_key here;

	machine_key_read(&here, ferry_version());
	profile_cache_find(atomic_load(&profile_wanted), &here, out);
}

bool ferry_use_profile(const char *wanted, char *why, size_t why_bytes)
{
	struct profile_found *found;
	bool refused;

	atomic_store(&profile_wanted, wanted);
	/* Not on the stack: the calling thread may have the smallest one. */
	if (vault_alloc(sizeof(*found), (void **)&found))
		return true;
	machine_profile_find(found);
	refused = found->refused;
	if (refused)
		snprintf(why, why_bytes, "%s", found->note);
	vault_free(found, sizeof(*found));
	return !refused;
}
