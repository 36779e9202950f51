// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/vault.h"
#include "copy/choice.h"

/* The loops of a build with sanitizers are not those that would be chosen. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TIMES_MEAN_NOTHING true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TIMES_MEAN_NOTHING true
#endif
#endif
#ifndef TIMES_MEAN_NOTHING
#define TIMES_MEAN_NOTHING false
#endif

struct copy_choice {
	struct copy_race races[NR_COPY_SIZES][2][2]; /* by size, with_others, other_node */
};

static _Atomic(struct copy_choice *) the_choice;

static void choice_init(struct copy_choice *choice)
{
	const struct copy_kernel *runners[RACE_RUNNERS_MAX] = {copy_kernel_best(HUGE_BYTES, 1)};
	struct copy_race *races = &choice->races[0][0][0];
	unsigned int nr = 1;

	for (unsigned int i = 0; i < nr_copy_kernels && nr < RACE_RUNNERS_MAX; i++) {
		const struct copy_kernel *kernel = &copy_kernels[i];

		if (kernel != runners[0] && kernel->vault_safe && kernel->usable())
			runners[nr++] = kernel;
	}
	for (unsigned int i = 0; i < sizeof(choice->races) / sizeof(*races); i++)
		copy_race_init(&races[i], runners, nr);
}

struct copy_choice *copy_choice_get(void)
{
	struct copy_choice *choice = atomic_load_explicit(&the_choice, memory_order_acquire);
	struct copy_choice *none = NULL;

	if (choice || TIMES_MEAN_NOTHING || cpu_is_emulated())
		return choice;
	if (vault_alloc(sizeof(*choice), (void **)&choice))
		return NULL;
	choice_init(choice);
	if (atomic_compare_exchange_strong(&the_choice, &none, choice))
		return choice;
	vault_free(choice, sizeof(*choice));
	return none;
}

struct copy_race *copy_choice_race(struct copy_choice *choice, const struct copy_kind *kind)
{
	return &choice->races[kind->size][kind->with_others][kind->other_node];
}

void copy_choice_report(struct copy_choice *choice,
			void (*fn)(void *arg, const struct copy_kind *kind,
				   const struct copy_kernel *kernel, uint32_t ns_per_mib),
			void *arg)
{
	for (unsigned int i = 0; i < NR_COPY_SIZES * 4; i++) {
		struct copy_kind kind = {
			.size = i / 4, .with_others = i / 2 % 2, .other_node = i % 2};
		struct copy_race *race = copy_choice_race(choice, &kind);
		const struct copy_kernel *winner =
			atomic_load_explicit(&race->winner, memory_order_acquire);

		if (winner)
			fn(arg, &kind, winner,
			   atomic_load_explicit(&race->ns_per_mib, memory_order_relaxed));
	}
}
