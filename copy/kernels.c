// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "copy/families.h"
#include "copy/kernels.h"

/*
 * Streaming stores win from one page on, and more so with several threads, where memory bandwidth
 * is the limit: the destination is not read first, which saves a third of the traffic.
 */
#define STREAM_ALONE_BYTES PAGE_BYTES
#define STREAM_THREADS     2

static void copy_libc(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	memcpy(dst, src, len_bytes);
}

bool cpu_always(void)
{
	return true;
}

#define IS_stream true
#define IS_store  false
#define LINE_KERNEL_ROW(name, isa, kind, nr_streams, ahead_bytes) \
	{#name, NEEDS_##isa, copy_##name, copy4_##name, cpu_has_##isa, IS_##kind, true},

/* clang-format off */
const struct copy_kernel copy_kernels[] = {
	LINE_KERNELS(LINE_KERNEL_ROW)
#if defined(__x86_64__)
	{"movsb", "ERMS or FSRM", copy_movsb, NULL, cpu_has_fast_movsb, false, true},
#endif
	{"generic", "any CPU", copy_generic, NULL, cpu_always, false, true},
	{"emulated", "QEMU without KVM", copy_emulated, NULL, cpu_is_emulated, false, true},
	{"libc", "any CPU", copy_libc, NULL, cpu_always, false, false},
};
/* clang-format on */
const unsigned int nr_copy_kernels = ARRAY_SIZE(copy_kernels);

static const struct {
	const char *old, *name;
} old_names[] = {
#if defined(__x86_64__)
	{"avx512-nt", "stream64x4"},
	{"avx2-nt", "stream32x4"},
#elif defined(__aarch64__)
	{"neon-nt", "stream32"},
	{"neon", "store32"},
#endif
};

static bool name_is(const char *name, const char *text, size_t text_len)
{
	return strlen(name) == text_len && !memcmp(name, text, text_len);
}

const struct copy_kernel *copy_kernel_named(const char *name, size_t name_len)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(old_names); i++)
		if (name_is(old_names[i].old, name, name_len))
			return copy_kernel_named(old_names[i].name, strlen(old_names[i].name));
	for (unsigned int i = 0; i < nr_copy_kernels; i++)
		if (name_is(copy_kernels[i].name, name, name_len))
			return &copy_kernels[i];
	return NULL;
}

const struct copy_kernel *copy_kernel_find(const char *name)
{
	const struct copy_kernel *kernel = copy_kernel_named(name, strlen(name));

	return kernel && kernel->usable() ? kernel : NULL;
}

static const struct copy_kernel *kernel_of_family(void)
{
	struct cpu_id id = cpu_identify();
	const char *const *name = cpu_family_kernels(&id);

	while (!copy_kernel_find(*name))
		name++;
	return copy_kernel_find(*name);
}

const struct copy_kernel *copy_kernel_best(size_t len_bytes, unsigned int nr_threads)
{
	/* Emulators model no caches, and vector registers cost ten times as much there. */
	if (cpu_is_emulated())
		return copy_kernel_find("emulated");
	if (len_bytes >= STREAM_ALONE_BYTES || nr_threads >= STREAM_THREADS)
		return kernel_of_family();
	return copy_kernel_find(cpu_has_fast_movsb() ? "movsb" : "generic");
}
