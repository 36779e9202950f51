// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/model.h"

#if defined(__SANITIZE_THREAD__)
#define MODEL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MODEL_TSAN 1
#endif
#endif

/* The sanitizer sees through memcpy and memset but not through the instructions. */
void model_copy(void *dst, const void *src, size_t len_bytes)
{
#if defined(__x86_64__) && !defined(MODEL_TSAN)
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(len_bytes) : : "memory");
#else
	memcpy(dst, src, len_bytes);
#endif
}

void model_fill(void *dst, uint8_t value, size_t len_bytes)
{
#if defined(__x86_64__) && !defined(MODEL_TSAN)
	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(len_bytes) : "a"(value) : "memory");
#else
	memset(dst, value, len_bytes);
#endif
}

static int parse_ppm(const char *text, const char *end, uint32_t *ppm)
{
	char *stop;
	unsigned long value = strtoul(text, &stop, 10);

	if (stop == text || stop != end || value > MODEL_PPM)
		return -EINVAL;
	*ppm = (uint32_t)value;
	return 0;
}

static int parse_one(const char *word, const char *end, const char *const *names,
		     const uint32_t *default_ppm, unsigned int nr_names, uint32_t *ppm)
{
	const char *colon = memchr(word, ':', (size_t)(end - word));
	size_t len = (size_t)((colon ? colon : end) - word);

	for (unsigned int i = 0; i < nr_names; i++) {
		if (strlen(names[i]) != len || memcmp(names[i], word, len))
			continue;
		ppm[i] = default_ppm[i];
		return colon ? parse_ppm(colon + 1, end, &ppm[i]) : 0;
	}
	return -EINVAL;
}

int model_parse_faults(const char *text, const char *const *names, const uint32_t *default_ppm,
		       unsigned int nr_names, uint32_t *ppm, const char **bad)
{
	if (!strcmp(text, "all")) {
		for (unsigned int i = 0; i < nr_names; i++)
			ppm[i] = default_ppm[i];
		return 0;
	}
	for (;;) {
		const char *end = text + strcspn(text, "+");

		if (parse_one(text, end, names, default_ppm, nr_names, ppm)) {
			*bad = text;
			return -EINVAL;
		}
		if (!*end)
			return 0;
		text = end + 1;
	}
}
