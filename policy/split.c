// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/split.h"

#include "base/clock.h"

/*
 * Smaller batches go to the base. Increasing this keeps more batches off devices; decreasing it
 * lets devices cost more than they gain.
 */
#define MIN_BATCH_BYTES (64U << 10)

/*
 * The size of a probe: this part of a batch, but at most this much. Increasing these makes a probe
 * tell more about large shares, and cost more if the part is slow or hangs.
 */
#define PROBE_PART      8
#define PROBE_MAX_BYTES (256UL << 10)

/*
 * A probe that fails or is slow doubles the time to the next one, within these bounds. The caller
 * has waited for probes during at most 1/PROBE_COST_FACTOR of the time. Where a probe was copied,
 * the pause has a limit, because the caller may have been preempted instead. Increasing these
 * explores less; decreasing them finds out sooner that a part has recovered.
 */
#define PROBE_GAP_MIN_NS  (2 * NS_PER_MS)
#define PROBE_GAP_MAX_NS  (250 * NS_PER_MS)
#define PROBE_COST_FACTOR 64
#define COPIED_GAP_MAX_NS NS_PER_SEC

/* A part that has done this many pieces well is probed without delay when it is left again. */
#define GOOD_ENOUGH 256

/*
 * A part is left after this many failures in a row, or one stray. Increasing this repeats more work
 * of a part that fails; decreasing it leaves parts that fail by chance.
 */
#define MAX_BAD 3

/*
 * A part is left when a byte takes it this many times as long as the fastest part, and taken back
 * when it takes fewer than BACK_RATIO times as long. Between them nothing changes. Increasing these
 * keeps parts that hardly help and delay the end of a batch; decreasing them wastes some speed.
 */
#define LEAVE_RATIO 8
#define BACK_RATIO  5

/* Of the way to a new rate that a sample makes. */
#define SAMPLE_WEIGHT 0.5
/*
 * How much faster a part is taken to be because nothing shows that it is not. It doubles each time
 * until something does.
 */
#define OPTIMISM     0.03
#define OPTIMISM_MAX 0.5
/* How many times as long as the fastest part, until more is known. */
#define NEW_RATIO 2

static double elapsed_ns(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) : 0;
}

/*
 * What a part still needs for what it has. One that is overdue is taken to need as much longer: so
 * a part that stalls gets nothing more until it ends something.
 */
static double split_backlog_ns(const struct split_part *part, uint64_t now_ns, bool held)
{
	double queued_ns = (double)part->queued_bytes * part->ns_per_byte;
	double first_ns = (double)part->first_bytes * part->ns_per_byte;
	double worked_ns = elapsed_ns(part->since_ns, now_ns);

	if (!part->queued_bytes || held)
		return queued_ns;
	if (worked_ns < first_ns)
		return queued_ns - worked_ns;
	return queued_ns - first_ns + (worked_ns - first_ns);
}

static bool split_fails(const struct split_part *part)
{
	return part->nr_bad >= MAX_BAD;
}

/* ---- shares ---- */

static uint64_t split_probe_bytes(const struct split_part *part, const struct split_load *load)
{
	if (part->in_use || part->queued_bytes || load->now_ns < part->probe_at_ns)
		return 0;
	return MIN(load->bytes / PROBE_PART, PROBE_MAX_BYTES);
}

struct filling {
	double delay_ns[SPLIT_PARTS];
	bool active[SPLIT_PARTS]; /* gets a part of what is shared */
};

/* When all active parts end, if they share so many bytes. */
static double filling_end_ns(const struct filling *filling, const struct split_part *parts,
			     unsigned int nr_parts, uint64_t bytes)
{
	double bytes_per_ns = 0, begun = 0;

	for (unsigned int i = 0; i < nr_parts; i++) {
		if (!filling->active[i])
			continue;
		bytes_per_ns += 1 / parts[i].ns_per_byte;
		begun += filling->delay_ns[i] / parts[i].ns_per_byte;
	}
	return ((double)bytes + begun) / bytes_per_ns;
}

/* Shares bytes among the active parts; one that would begin after the others' end gets nothing. */
static void filling_share(struct filling *filling, const struct split_part *parts,
			  unsigned int nr_parts, uint64_t bytes, uint64_t *shares)
{
	unsigned int last = 0;
	bool changed = true;
	double end_ns = 0;

	while (changed) {
		changed = false;
		end_ns = filling_end_ns(filling, parts, nr_parts, bytes);
		for (unsigned int i = 0; i < nr_parts; i++) {
			if (!filling->active[i] || filling->delay_ns[i] < end_ns)
				continue;
			filling->active[i] = false;
			changed = true;
		}
	}
	for (unsigned int i = 0; i < nr_parts; i++) {
		double share;

		if (!filling->active[i])
			continue;
		share = (end_ns - filling->delay_ns[i]) / parts[i].ns_per_byte;
		share = MIN(share, (double)bytes);
		shares[i] += (uint64_t)share;
		bytes -= (uint64_t)share;
		last = i;
	}
	/* What rounding has left. */
	shares[last] += bytes;
}

void split_share(const struct split_part *parts, unsigned int nr_parts,
		 const struct split_load *load, uint64_t *bytes)
{
	unsigned int base = nr_parts - 1;
	uint64_t left = load->bytes;
	struct filling filling = {0};
	unsigned int nr_active = 0;

	for (unsigned int i = 0; i < nr_parts; i++)
		bytes[i] = 0;
	for (unsigned int i = 0; i < nr_parts && load->bytes >= MIN_BATCH_BYTES; i++) {
		if (i == base && !split_fails(&parts[i]))
			continue;
		bytes[i] = split_probe_bytes(&parts[i], load);
		left -= bytes[i];
	}
	for (unsigned int i = 0; i < nr_parts; i++) {
		bool held = i == base && load->base_holds;

		filling.active[i] = parts[i].in_use && parts[i].ns_per_byte > 0;
		filling.delay_ns[i] = split_backlog_ns(&parts[i], load->now_ns, held);
		nr_active += filling.active[i];
	}
	filling.delay_ns[base] += (double)load->other_work_ns;
	if (load->bytes < MIN_BATCH_BYTES || !parts[base].ns_per_byte || !nr_active)
		bytes[base] += left;
	else
		filling_share(&filling, parts, nr_parts, left, bytes);
}

/* ---- what happens to them ---- */

static void split_begin(struct split_part *part, uint64_t early_ns, uint64_t late_ns)
{
	part->began_early_ns = early_ns;
	part->began_late_ns = part->since_ns = late_ns;
	part->counted_bytes = 0;
}

void split_held_begins(struct split_part *part, uint64_t now_ns)
{
	split_begin(part, now_ns, now_ns);
}

void split_sent(struct split_part *part, uint64_t now_ns, uint64_t bytes)
{
	if (!part->queued_bytes) {
		split_begin(part, now_ns, now_ns);
		part->first_bytes = bytes;
	}
	part->queued_bytes += bytes;
}

static void split_delay_probe(struct split_part *part, uint64_t now_ns)
{
	uint64_t gap_ns = part->probe_gap_ns;
	uint64_t pause_ns = MAX(gap_ns, PROBE_COST_FACTOR * part->waited_ns);

	part->probe_at_ns = now_ns + (part->nr_bad ? pause_ns : MIN(pause_ns, COPIED_GAP_MAX_NS));
	part->probe_gap_ns = MIN(MAX(2 * gap_ns, PROBE_GAP_MIN_NS), PROBE_GAP_MAX_NS);
	part->waited_ns = 0;
}

static void split_leave(struct split_part *part, uint64_t now_ns)
{
	if (part->nr_good >= GOOD_ENOUGH)
		part->probe_gap_ns = PROBE_GAP_MIN_NS;
	part->in_use = false;
	part->nr_good = 0;
	split_delay_probe(part, now_ns);
}

static double split_fastest_other(const struct split_part *parts, unsigned int nr_parts,
				  unsigned int which)
{
	double fastest = 0;

	for (unsigned int i = 0; i < nr_parts; i++) {
		double ns = parts[i].ns_per_byte;

		if (i == which || !ns || (i != nr_parts - 1 && !parts[i].in_use))
			continue;
		fastest = fastest ? MIN(fastest, ns) : ns;
	}
	return fastest;
}

/* Leaves the part, or takes it back, by what is known of it now. */
static void split_review(struct split_part *parts, unsigned int nr_parts, unsigned int which,
			 uint64_t now_ns)
{
	struct split_part *part = &parts[which];
	double fastest = split_fastest_other(parts, nr_parts, which);

	/* The base is left only for failures. */
	bool is_base = which == nr_parts - 1;

	if (part->in_use) {
		if (split_fails(part) ||
		    (!is_base && fastest > 0 && part->ns_per_byte > LEAVE_RATIO * fastest))
			split_leave(part, now_ns);
	} else if (!part->nr_bad && (is_base || part->ns_per_byte < BACK_RATIO * fastest)) {
		part->in_use = true;
	} else {
		split_delay_probe(part, now_ns);
	}
}

void split_refused(struct split_part *parts, unsigned int nr_parts, unsigned int which,
		   uint64_t now_ns)
{
	parts[which].nr_bad++;
	parts[which].nr_good = 0;
	split_review(parts, nr_parts, which, now_ns);
}

/*
 * A byte took at least `least` and at most `most`. An estimate between them is not wrong, so the
 * part gets a little more: until it ends after the others, and shows how fast it is.
 */
static void split_blend(struct split_part *part, double least, double most)
{
	double sample = MIN(MAX(part->ns_per_byte, least), most);

	if (sample > least) {
		part->optimism = MIN(MAX(2 * part->optimism, OPTIMISM), OPTIMISM_MAX);
		sample = MAX(sample * (1 - part->optimism), least);
	} else {
		part->optimism = 0;
	}
	/* An outlier halves or doubles the estimate at most. */
	sample = MIN(MAX(sample, part->ns_per_byte / 2), part->ns_per_byte * 2);
	part->ns_per_byte += (sample - part->ns_per_byte) * SAMPLE_WEIGHT;
}

static void split_learn(struct split_part *part, const struct split_result *result,
			double fastest_other)
{
	double counted = (double)(part->counted_bytes + result->copied);
	double least = elapsed_ns(part->began_late_ns, result->after_ns) / counted;
	double most = MAX(elapsed_ns(part->began_early_ns, result->now_ns), 1.0) / counted;

	if (part->in_use && part->ns_per_byte > 0) {
		split_blend(part, least, most);
		return;
	}
	/* What was known before it was left is old. */
	part->ns_per_byte = MIN(MAX(NEW_RATIO * fastest_other, least), most);
	part->optimism = 0;
}

void split_ended(struct split_part *parts, unsigned int nr_parts, unsigned int which,
		 const struct split_result *result)
{
	struct split_part *part = &parts[which];
	bool good = !result->stray && result->copied > result->bytes / 2;

	if (good) {
		split_learn(part, result, split_fastest_other(parts, nr_parts, which));
		part->nr_bad = 0;
		part->nr_good += part->in_use;
	} else {
		part->nr_bad = result->stray ? MAX_BAD : part->nr_bad + 1;
		part->nr_good = 0;
	}
	part->queued_bytes -= MIN(result->bytes, part->queued_bytes);
	part->first_bytes = part->queued_bytes;
	/* It began with the next when it had ended these, unless that was not seen at all. */
	if (result->after_ns > part->began_early_ns)
		split_begin(part, result->after_ns, result->now_ns);
	else
		part->counted_bytes += result->copied;
	part->since_ns = result->now_ns;
	split_review(parts, nr_parts, which, result->now_ns);
	if (part->in_use && good)
		part->waited_ns = 0;
}
