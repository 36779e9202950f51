// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every copy kernel that this CPU can run: all alignments, lengths around its steps, guard pages.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "copy/families.h"
#include "copy/kernels.h"

#define AREA_BYTES (64UL << 10)

/* An access to the byte after the area crashes. */
static uint8_t *guarded_area(void)
{
	uint8_t *area = mmap(NULL, AREA_BYTES + PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(area != MAP_FAILED);
	cr_assert(!mprotect(area + AREA_BYTES, PAGE_BYTES, PROT_NONE));
	return area;
}

static void fill_area(uint8_t *area, unsigned int seed)
{
	for (size_t i = 0; i < AREA_BYTES; i++)
		area[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + seed);
}

static void check_copy(const struct copy_kernel *kernel, uint8_t *dst, uint8_t *src, size_t dst_at,
		       size_t src_at, size_t len)
{
	static uint8_t expected[AREA_BYTES];

	fill_area(dst, 99);
	memcpy(expected, dst, AREA_BYTES);
	memcpy(expected + dst_at, src + src_at, len);
	kernel->copy(dst + dst_at, src + src_at, len);
	cr_assert(!memcmp(dst, expected, AREA_BYTES),
		  "%s: %zu bytes, source +%zu, destination +%zu", kernel->name, len, src_at,
		  dst_at);
}

static void for_each_usable(void (*test)(const struct copy_kernel *, uint8_t *, uint8_t *))
{
	uint8_t *src = guarded_area(), *dst = guarded_area();

	fill_area(src, 1);
	for (unsigned int i = 0; i < nr_copy_kernels; i++)
		if (copy_kernels[i].usable())
			test(&copy_kernels[i], dst, src);
}

static void check_alignments(const struct copy_kernel *kernel, uint8_t *dst, uint8_t *src)
{
	static const size_t offsets[] = {0, 1, 7, 15, 31, 32, 33, 48, 63, 64, 65};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		for (size_t j = 0; j < ARRAY_SIZE(offsets); j++)
			check_copy(kernel, dst, src, PAGE_BYTES + offsets[i],
				   PAGE_BYTES + offsets[j], PAGE_BYTES + 77);
}

Test(kernels, copy_at_any_alignment)
{
	for_each_usable(check_alignments);
}

static void check_lengths(const struct copy_kernel *kernel, uint8_t *dst, uint8_t *src)
{
	for (size_t len = 0; len < 1200; len += 1 + len / 64)
		check_copy(kernel, dst, src, 256, 512 + len % 3, len);
	for (size_t len = PAGE_BYTES; len < AREA_BYTES; len *= 2) {
		check_copy(kernel, dst, src, 0, 0, len);
		check_copy(kernel, dst, src, 3, 1, len + len / 2 + 77);
	}
}

Test(kernels, copy_any_length)
{
	for_each_usable(check_lengths);
}

static void check_ends(const struct copy_kernel *kernel, uint8_t *dst, uint8_t *src)
{
	static const size_t lens[] = {1, 63, 511, 512, 513, 1000, PAGE_BYTES, PAGE_BYTES + 1};

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		check_copy(kernel, dst, src, AREA_BYTES - lens[i], AREA_BYTES - lens[i], lens[i]);
}

Test(kernels, stay_inside_at_the_end_of_a_mapping)
{
	for_each_usable(check_ends);
}

static void in_step(const struct copy_kernel *kernel, uint8_t *dst, uint8_t *src)
{
	static uint8_t expected[AREA_BYTES];
	static const size_t lens[] = {64, 512, PAGE_BYTES, 8192};

	for (size_t i = 0; kernel->copy4 && i < ARRAY_SIZE(lens); i++) {
		char *to[4];
		const char *from[4];

		fill_area(dst, 99);
		memcpy(expected, dst, AREA_BYTES);
		for (size_t j = 0; j < 4; j++) {
			to[j] = (char *)dst + AREA_BYTES - (j + 1) * lens[i];
			from[j] = (const char *)src + (j * 2 + 1) * lens[i] - j;
			memcpy(expected + (to[j] - (char *)dst), from[j], lens[i]);
		}
		kernel->copy4(to, from, lens[i]);
		cr_assert(!memcmp(dst, expected, AREA_BYTES), "%s: 4 × %zu bytes", kernel->name,
			  lens[i]);
	}
}

Test(kernels, copy_four_in_step)
{
	for_each_usable(in_step);
}

Test(kernels, are_found_by_name)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		const struct copy_kernel *kernel = &copy_kernels[i];

		cr_assert_eq(copy_kernel_find(kernel->name), kernel->usable() ? kernel : NULL);
	}
#if defined(__x86_64__)
	cr_assert_str_eq(copy_kernel_named("avx2-nt", 7)->name, "stream32x4");
	cr_assert_str_eq(copy_kernel_named("avx512-nt", 9)->name, "stream64x4");
#endif
	cr_assert_null(copy_kernel_named("avx2-nt", 6), "a part of a name");
	cr_assert_null(copy_kernel_find("nonsense"));
	cr_assert_null(copy_kernel_find(""));
}

Test(kernels, default_may_run_while_pages_are_out)
{
	for (size_t len = 1; len <= HUGE_BYTES; len *= 2) {
		for (unsigned int nr_threads = 1; nr_threads <= 64; nr_threads *= 2) {
			const struct copy_kernel *kernel = copy_kernel_best(len, nr_threads);

			cr_assert_not_null(kernel);
			cr_assert(kernel->usable() && kernel->vault_safe);
		}
	}
}

Test(kernels, large_copies_stream_where_the_cpu_can)
{
	bool can = false;

	for (unsigned int i = 0; i < nr_copy_kernels; i++)
		can |= copy_kernels[i].streaming && copy_kernels[i].usable();
	cr_assert_eq(copy_kernel_best(HUGE_BYTES, 1)->streaming, can);
	cr_assert_eq(copy_kernel_best(HUGE_BYTES, 8)->streaming, can);
}

/* The first kernel of a family's list, all of which are known. */
static const char *family_choice(uint32_t vendor, uint32_t family, uint32_t model)
{
	struct cpu_id id = {.vendor = vendor, .family = family, .model = model};
	const char *const *names = cpu_family_kernels(&id);
	unsigned int nr = 0;

	for (; names[nr]; nr++)
		cr_assert_not_null(copy_kernel_named(names[nr], strlen(names[nr])), "%s",
				   names[nr]);
	cr_assert(nr && copy_kernel_find(names[nr - 1]), "the last one needs no feature");
	return names[0];
}

Test(kernels, known_families_have_their_default)
{
#if defined(__x86_64__)
	const uint32_t intel = 0x756e6547, amd = 0x68747541;

	cr_assert_str_eq(family_choice(amd, 0x1a, 0x02), "stream64", "Zen 5, Turin");
	cr_assert_str_eq(family_choice(amd, 0x19, 0x11), "stream64", "Zen 4, Genoa");
	cr_assert_str_eq(family_choice(amd, 0x19, 0x01), "stream32", "Zen 3, Milan");
	cr_assert_str_eq(family_choice(amd, 0x17, 0x31), "stream32", "Zen 2, Rome");
	cr_assert_str_eq(family_choice(intel, 6, 0x55), "stream32x4", "Skylake-SP");
	cr_assert_str_eq(family_choice(intel, 6, 0x8f), "stream32x8", "Sapphire Rapids");
#else
	cr_assert_str_eq(family_choice(0x41, 0, 0xd4f), "stream32", "Neoverse V2");
#endif
	family_choice(0, 0, 0);
	family_choice(1, 2, 3);
}
