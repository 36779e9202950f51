// SPDX-License-Identifier: LGPL-2.1-or-later
/* Advice that a program has given for a mapping is found again. */
#include <criterion/criterion.h>
#include <sys/mman.h>

#include "lib/nodes/vm_flags.h"

static struct vm_flags flags_after(int advice)
{
	char *at = mmap(NULL, 3 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	struct vm_flags flags;

	cr_assert_neq(at, MAP_FAILED);
	/* A page of its own, so that the neighbours' flags differ. */
	cr_assert_eq(madvise(at + PAGE_BYTES, PAGE_BYTES, advice), 0);
	flags = vm_flags_at((uintptr_t)at);
	cr_expect(!flags.dont_fork && !flags.wipe_on_fork && !flags.dont_dump);
	flags = vm_flags_at((uintptr_t)at + 2 * PAGE_BYTES);
	cr_expect(!flags.dont_fork && !flags.wipe_on_fork && !flags.dont_dump);
	flags = vm_flags_at((uintptr_t)at + PAGE_BYTES + 100);
	munmap(at, 3 * PAGE_BYTES);
	return flags;
}

Test(vm_flags, each_is_seen_alone)
{
	struct vm_flags flags = flags_after(MADV_DONTFORK);

	cr_expect(flags.dont_fork && !flags.wipe_on_fork && !flags.dont_dump);
	flags = flags_after(MADV_WIPEONFORK);
	cr_expect(!flags.dont_fork && flags.wipe_on_fork && !flags.dont_dump);
	flags = flags_after(MADV_DONTDUMP);
	cr_expect(!flags.dont_fork && !flags.wipe_on_fork && flags.dont_dump);
}

Test(vm_flags, no_mapping_has_none)
{
	struct vm_flags flags = vm_flags_at(PAGE_BYTES);

	cr_expect(!flags.dont_fork && !flags.wipe_on_fork && !flags.dont_dump);
}
