// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PROCMAP_QUERY tells nothing of advice, so this reads smaps:
 *
 *	7f0000000000-7f0000200000 rw-p 00000000 00:00 0
 *	Size:               2048 kB
 *	...
 *	VmFlags: rd wr mr mw me dc wf
 */
#include <fcntl.h>
#include <string.h>

#include "base/own_fd.h"
#include "base/sys.h"
#include "lib/nodes/vm_flags.h"

#define READ_BYTES 2048
#define LINE_BYTES 256

struct smaps {
	uintptr_t addr;
	bool covers; /* the lines are about the mapping that covers addr */
	bool done;
	struct vm_flags flags;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *parse_hex(const char *text, uintptr_t *out)
{
	for (*out = 0; hex_digit(*text) >= 0; text++)
		*out = *out << 4 | (uintptr_t)hex_digit(*text);
	return text;
}

/* Does the line begin a mapping: START-END? */
static bool smaps_line_range(const char *line, uintptr_t *start, uintptr_t *end)
{
	const char *at = parse_hex(line, start);

	return at != line && *at == '-' && *parse_hex(at + 1, end) == ' ';
}

static void smaps_line(struct smaps *smaps, const char *line)
{
	static const char flags[] = "VmFlags:";
	uintptr_t start, end;

	if (smaps_line_range(line, &start, &end)) {
		smaps->covers = smaps->addr >= start && smaps->addr < end;
		smaps->done = start > smaps->addr;
	} else if (smaps->covers && !strncmp(line, flags, sizeof(flags) - 1)) {
		smaps->flags.dont_fork = strstr(line, " dc");
		smaps->flags.wipe_on_fork = strstr(line, " wf");
		smaps->flags.dont_dump = strstr(line, " dd");
		smaps->done = true;
	}
}

struct vm_flags vm_flags_at(uintptr_t addr)
{
	struct smaps smaps = {.addr = addr};
	char text[READ_BYTES], line[LINE_BYTES];
	size_t line_len = 0;
	struct own_fd file;
	long len;

	if (own_fd_open(&file, AT_FDCWD, "/proc/self/smaps"))
		return smaps.flags;
	while (!smaps.done && (len = sys(SYS_read, file.fd, text, sizeof(text))) > 0) {
		for (long i = 0; i < len && !smaps.done; i++) {
			/* A name that is too long loses its end. */
			if (text[i] != '\n' && line_len < sizeof(line) - 1)
				line[line_len++] = text[i];
			if (text[i] != '\n')
				continue;
			line[line_len] = '\0';
			line_len = 0;
			smaps_line(&smaps, line);
		}
	}
	own_fd_drop(&file);
	return smaps.flags;
}
