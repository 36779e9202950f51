// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "cli/common/common.h"
#include "cli/counters/counters.h"
#include "cli/report/report.h"
#include "cli/verify/slot_kinds.h"
#include "cli/verify/summary.h"

enum { COL_FOLIO, COL_FOLIOS, COL_TIME, COL_TALLY };

static const struct column columns[] = {
	[COL_FOLIO] = {"folio_bytes", "FOLIO", COLUMN_BYTES, 0, false},
	[COL_FOLIOS] = {"folios", "MADE OF", COLUMN_TEXT, 0, false},
	[COL_TIME] = {"seconds", "SECONDS", COLUMN_REAL, 1, false},
	[COL_TALLY + TALLY_REQUESTS] = {"requests", "REQUESTS", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_PAGES] = {"pages_moved", "PAGES MOVED", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_EXCHANGED] = {"pages_by_exchange", "EXCHANGED", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_KERNEL] = {"pages_by_kernel", "BY KERNEL", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_NOT_MOVED] = {"pages_not_moved", "NOT MOVED", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_UPDATES] = {"updates", "UPDATES", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_CUT_SHORT] = {"cut_short", "CUT SHORT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_FORKS] = {"forks", "FORK", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_MUNMAPS] = {"munmaps", "MUNMAP", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_MPROTECTS] = {"mprotects", "MPROTECT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_MREMAPS] = {"mremaps", "MREMAP", COLUMN_COUNT, 0, false},
	[COL_TALLY +
		TALLY_MREMAP_EFAULTS] = {"mremap_efaults", "MREMAP EFAULT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_DISCARDS] = {"discards", "DISCARD", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_DIRECTS] = {"directs", "O_DIRECT", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_VMS] = {"process_vms", "VM", COLUMN_COUNT, 0, false},
	[COL_TALLY + TALLY_PIPES] = {"pipes", "PIPE", COLUMN_COUNT, 0, false},
};

static void table_add_sums(struct table *table, const struct folio_sum *sums)
{
	for (unsigned int i = 0; i < verify_options.folios.nr; i++) {
		if (sums[i].seconds <= 0)
			continue;
		table_row(table);
		table_count(table, COL_FOLIO, (int64_t)verify_options.folios.v[i]);
		table_text(table, COL_FOLIOS, "%s", folio_kind_name(sums[i].kind));
		table_real(table, COL_TIME, sums[i].seconds);
		for (unsigned int t = 0; t < NR_TALLIES; t++) {
			if (sums[i].tally[t] || t <= TALLY_CUT_SHORT)
				table_count(table, COL_TALLY + t, (int64_t)sums[i].tally[t]);
		}
	}
}

/* A run that did not do what --with names must not look like a complete test. */
static void report_note_not_done(struct report *report, const struct verify *verify)
{
	for (unsigned int i = 0; i < nr_slot_kinds; i++) {
		if (text_list_has(&verify_options.with, slot_kinds[i].name) &&
		    !verify->tally[slot_kinds[i].tally])
			report_note(
				report, "Not done: %s%s.", slot_kinds[i].name,
				slot_kinds[i].tally == TALLY_DIRECTS
					? " (no O_DIRECT on this filesystem; choose another --dir)"
					: "");
	}
}

static void report_verdict(struct report *report, const struct verify *verify)
{
	const struct failure *failure = &verify->failure;
	bool passed = !atomic_load(&failure->set);

	json_object_set_new(report->facts, "passed", json_boolean(passed));
	json_object_set_new(report->facts, "seed", json_integer((json_int_t)verify_options.seed));
	if (passed) {
		report_note(report, "PASS: no update lost, no wrong byte.");
		return;
	}
	if (failure->has_word)
		report_note(report,
			    "FAIL: %s: at %p: expected 0x%016" PRIx64 ", found 0x%016" PRIx64
			    " (seed %" PRIu64 ")",
			    failure->what, (const void *)failure->word.addr, failure->word.expected,
			    failure->word.found, verify_options.seed);
	else
		report_note(report, "FAIL: %s (seed %" PRIu64 ")", failure->what,
			    verify_options.seed);
	json_object_set_new(report->facts, "failure", json_string(failure->what));
}

int verify_summarize(struct verify *verify, const struct folio_sum *sums)
{
	struct report report;
	int code = atomic_load(&verify->failure.set) ? CLI_FAILED : CLI_OK;

	report_open(&report, "verify");
	table_add_sums(report_table(&report, "results", NULL, columns, ARRAY_SIZE(columns)), sums);
	report_note_not_done(&report, verify);
	if (!code && !verify->tally[TALLY_PAGES]) {
		report_note(&report, "Nothing moved: the machine has one node and no exchange "
				     "mover; see `migbench doctor`.");
		code = CLI_UNSUPPORTED;
	} else {
		report_verdict(&report, verify);
	}
	if (verify_options.stats)
		counters_report_ferry(&report, verify_options.engine, verify->ferry);
	if (report_write(&report, &verify_options.output))
		code = CLI_FAILED;
	report_close(&report);
	return code;
}
