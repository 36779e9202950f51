// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "models/model.h"

#if defined(__SANITIZE_THREAD__)
#define MODEL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MODEL_TSAN 1
#endif
#endif

/* ThreadSanitizer instruments memcpy and memset, but not these instructions. */
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

static bool parse_ppm(const char *text, const char *end, uint32_t *ppm)
{
	uint32_t value = 0;

	if (text == end)
		return false;
	for (; text < end; text++) {
		unsigned int digit = (unsigned int)(*text - '0');

		if (digit > 9)
			return false;
		value = value * 10 + digit;
		if (value > MODEL_PPM)
			return false;
	}
	*ppm = value;
	return true;
}

static bool parse_fault(const char *word, const char *end, const char *const *names,
			const uint32_t *default_ppm, unsigned int nr_names, uint32_t *ppm)
{
	const char *colon = memchr(word, ':', (size_t)(end - word));
	size_t len = (size_t)((colon ? colon : end) - word);

	for (unsigned int i = 0; i < nr_names; i++) {
		if (strlen(names[i]) != len || memcmp(names[i], word, len))
			continue;
		ppm[i] = default_ppm[i];
		return colon ? parse_ppm(colon + 1, end, &ppm[i]) : true;
	}
	return false;
}

bool model_parse_faults(const char *text, size_t text_len, const char *const *names,
			const uint32_t *default_ppm, unsigned int nr_names, uint32_t *ppm)
{
	const char *stop = text + text_len;

	if (text_len == 3 && !memcmp(text, "all", 3)) {
		for (unsigned int i = 0; i < nr_names; i++)
			ppm[i] = default_ppm[i];
		return true;
	}
	for (;;) {
		const char *plus = memchr(text, '+', (size_t)(stop - text));
		const char *end = plus ? plus : stop;

		if (!parse_fault(text, end, names, default_ppm, nr_names, ppm))
			return false;
		if (!plus)
			return true;
		text = plus + 1;
	}
}
