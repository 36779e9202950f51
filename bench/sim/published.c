// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Published measurements, and the simulation of each. The machines' files were fitted to them, so
 * that the simulator agrees shows that its parts can explain a whole table by a few numbers, not
 * that those numbers are right for other machines.
 *
 * Rows that cannot be explained are not here: the DMA channels of AMD's PTDMA, of which two are
 * hardly faster than one and four twice as fast as two; DSA below 1 KiB, smaller than a page.
 */
#include "bench/sim/sim.h"

#define SOURCE_V2        "kernel patches \"Enhancements to Page Migration\", RFC V2, 2025-03-19"
#define SOURCE_GRACE     "kernel patches \"Accelerate page migration\", RFC, 2025-01-03"
#define SOURCE_DSA       "LightDSA, DSA_speed_seq.data"
#define SOURCE_DSA_ONE   "LightDSA, single_memcpy.data"
#define SOURCE_PROTOTYPE "measured with a prototype of the exchange mover, Linux 6.18"
/* Ratios that are quoted without the table that they come from. */
#define SOURCE_HEARSAY "quoted, table not seen"

static double published_run(const struct sim_machine *machine, const struct sim_job *job)
{
	static const struct sim_load idle = {.busy_threads = 0};
	struct sim_result result;

	sim_run(machine, &idle, job, &result);
	return result.time_ns;
}

/* GB/s */
static double published_rate(const struct sim_machine *machine, const struct sim_published *row)
{
	return (double)row->job.bytes / published_run(machine, &row->job);
}

static double published_ns(const struct sim_machine *machine, const struct sim_published *row)
{
	return published_run(machine, &row->job);
}

/* Time of the second job by that of the first. */
static double published_ratio(const struct sim_machine *machine, const struct sim_published *row)
{
	return published_run(machine, &row->against) / published_run(machine, &row->job);
}

/* clang-format off */
const struct sim_published sim_published[] = {
	{"zen3-2s", "one thread per CCD first", SOURCE_V2, "1 threads", 10.6, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "one thread per CCD first", SOURCE_V2, "2 threads", 17.21, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 2}}, {.bytes = 0}},
	{"zen3-2s", "one thread per CCD first", SOURCE_V2, "4 threads", 29.94, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 4}}, {.bytes = 0}},
	{"zen3-2s", "one thread per CCD first", SOURCE_V2, "8 threads", 37.07, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 8}}, {.bytes = 0}},
	{"zen3-2s", "one thread per CCD first", SOURCE_V2, "16 threads", 36.19, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 16}}, {.bytes = 0}},
	{"zen3-2s", "one CCD filled first", SOURCE_V2, "1 threads", 10.44, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .fill = true, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "one CCD filled first", SOURCE_V2, "2 threads", 10.93, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .fill = true, .kernel_copies = true, .plan = {.nr_workers = 2}}, {.bytes = 0}},
	{"zen3-2s", "one CCD filled first", SOURCE_V2, "4 threads", 10.99, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .fill = true, .kernel_copies = true, .plan = {.nr_workers = 4}}, {.bytes = 0}},
	{"zen3-2s", "one CCD filled first", SOURCE_V2, "8 threads", 11.08, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .fill = true, .kernel_copies = true, .plan = {.nr_workers = 8}}, {.bytes = 0}},
	{"zen3-2s", "one CCD filled first", SOURCE_V2, "16 threads", 17.91, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .fill = true, .kernel_copies = true, .plan = {.nr_workers = 16}}, {.bytes = 0}},
	{"zen3-2s", "4 KiB folios", SOURCE_V2, "1 threads", 1.72, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "4 KiB folios", SOURCE_V2, "2 threads", 1.93, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 2}}, {.bytes = 0}},
	{"zen3-2s", "4 KiB folios", SOURCE_V2, "4 threads", 2.0, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 4}}, {.bytes = 0}},
	{"zen3-2s", "4 KiB folios", SOURCE_V2, "8 threads", 2.07, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 8}}, {.bytes = 0}},
	{"zen3-2s", "4 KiB folios", SOURCE_V2, "16 threads", 2.04, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 16}}, {.bytes = 0}},
	{"zen3-2s", "64 KiB folios", SOURCE_V2, "1 threads", 5.19, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = 16 * PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "64 KiB folios", SOURCE_V2, "2 threads", 5.76, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = 16 * PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 2}}, {.bytes = 0}},
	{"zen3-2s", "64 KiB folios", SOURCE_V2, "4 threads", 7.61, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = 16 * PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 4}}, {.bytes = 0}},
	{"zen3-2s", "64 KiB folios", SOURCE_V2, "8 threads", 7.52, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = 16 * PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 8}}, {.bytes = 0}},
	{"zen3-2s", "64 KiB folios", SOURCE_V2, "16 threads", 7.51, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = 16 * PAGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 16}}, {.bytes = 0}},
	{"zen3-2s", "2 MiB folios", SOURCE_V2, "1 threads", 10.73, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "2 MiB folios", SOURCE_V2, "2 threads", 17.21, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 2}}, {.bytes = 0}},
	{"zen3-2s", "2 MiB folios", SOURCE_V2, "4 threads", 29.61, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 4}}, {.bytes = 0}},
	{"zen3-2s", "2 MiB folios", SOURCE_V2, "8 threads", 37.42, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 8}}, {.bytes = 0}},
	{"zen3-2s", "2 MiB folios", SOURCE_V2, "16 threads", 37.08, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 16}}, {.bytes = 0}},
	{"zen3-2s", "number of 2 MiB folios, 1 thread", SOURCE_V2, "1 folios", 7.56, published_rate, {.bytes = 2ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "number of 2 MiB folios, 1 thread", SOURCE_V2, "8 folios", 9.54, published_rate, {.bytes = 16ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "number of 2 MiB folios, 1 thread", SOURCE_V2, "64 folios", 9.57, published_rate, {.bytes = 128ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "number of 2 MiB folios, 1 thread", SOURCE_V2, "256 folios", 10.09, published_rate, {.bytes = 512ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "number of 2 MiB folios, 1 thread", SOURCE_V2, "512 folios", 10.61, published_rate, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "number of 2 MiB folios, 1 thread", SOURCE_V2, "1024 folios", 10.77, published_rate, {.bytes = 2048ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "number of 2 MiB folios, 1 thread", SOURCE_V2, "2048 folios", 10.81, published_rate, {.bytes = 4096ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}, {.bytes = 0}},
	{"zen3-2s", "4 threads, spread against filled", SOURCE_V2, "ratio", 2.72, published_ratio, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 4}}, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .fill = true, .kernel_copies = true, .plan = {.nr_workers = 4}}},
	{"zen5-16ccd", "4 threads, spread against filled", SOURCE_HEARSAY, "ratio", 2.7, published_ratio, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 4}}, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .fill = true, .kernel_copies = true, .plan = {.nr_workers = 4}}},
	{"zen5-16ccd", "32 threads against one", SOURCE_HEARSAY, "ratio", 3.9, published_ratio, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 32}}, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_REMOTE, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}},
	{"grace-gpu", "64 KiB, 32 threads against one", SOURCE_GRACE, "+400 %", 5, published_ratio, {.bytes = 1024ULL << 20, .folio_bytes = 16 * PAGE_BYTES, .reach = PROFILE_FAR, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 32}}, {.bytes = 1024ULL << 20, .folio_bytes = 16 * PAGE_BYTES, .reach = PROFILE_FAR, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}},
	{"grace-gpu", "2 MiB, 32 threads against one", SOURCE_GRACE, "+700 %", 8, published_ratio, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_FAR, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 32}}, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_FAR, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}},
	{"grace-gpu", "2 MiB, 32 threads against one", SOURCE_HEARSAY, "10 times", 10, published_ratio, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_FAR, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 32}}, {.bytes = 1024ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_FAR, .special = SIM_MTCOPY, .kernel_copies = true, .plan = {.nr_workers = 1}}},
	{"xeon-2s-dsa", "one DSA device, batches of 32", SOURCE_DSA, "1 KiB", 24.2, published_rate, {.bytes = 4194304, .folio_bytes = 1024, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA device, batches of 32", SOURCE_DSA, "2 KiB", 26.9, published_rate, {.bytes = 8388608, .folio_bytes = 2048, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA device, batches of 32", SOURCE_DSA, "4 KiB", 28.5, published_rate, {.bytes = 16777216, .folio_bytes = 4096, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA device, batches of 32", SOURCE_DSA, "8 KiB", 29.4, published_rate, {.bytes = 33554432, .folio_bytes = 8192, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA device, batches of 32", SOURCE_DSA, "16 KiB", 29.9, published_rate, {.bytes = 67108864, .folio_bytes = 16384, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA device, batches of 32", SOURCE_DSA, "64 KiB", 29.9, published_rate, {.bytes = 268435456, .folio_bytes = 65536, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA descriptor, ns", SOURCE_DSA_ONE, "1 KiB", 960, published_ns, {.bytes = 1024, .folio_bytes = 1024, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA descriptor, ns", SOURCE_DSA_ONE, "4 KiB", 1140, published_ns, {.bytes = 4096, .folio_bytes = 4096, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA descriptor, ns", SOURCE_DSA_ONE, "8 KiB", 1360, published_ns, {.bytes = 8192, .folio_bytes = 8192, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA descriptor, ns", SOURCE_DSA_ONE, "16 KiB", 1830, published_ns, {.bytes = 16384, .folio_bytes = 16384, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA descriptor, ns", SOURCE_DSA_ONE, "64 KiB", 3510, published_ns, {.bytes = 65536, .folio_bytes = 65536, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA descriptor, ns", SOURCE_DSA_ONE, "256 KiB", 9900, published_ns, {.bytes = 262144, .folio_bytes = 262144, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"xeon-2s-dsa", "one DSA descriptor, ns", SOURCE_DSA_ONE, "1024 KiB", 35100, published_ns, {.bytes = 1048576, .folio_bytes = 1048576, .reach = PROFILE_SAME, .special = SIM_COPY_ONLY, .plan = {.kind = CHOOSE_APART + CHOOSE_DSA, .nr_workers = 1, .nr_devices = 1, .device_part = 1}}, {.bytes = 0}},
	{"vm-4cpu-zen5", "exchange of 4 KiB pages, chunks of 2 MiB", SOURCE_PROTOTYPE, "1 workers", 12.84, published_rate, {.bytes = 512ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_SAME, .special = SIM_PLAN, .plan = {.kind = CHOOSE_APART, .nr_workers = 1, .chunk_bytes = HUGE_BYTES, .gather = 1}}, {.bytes = 0}},
	{"vm-4cpu-zen5", "exchange of 4 KiB pages, chunks of 2 MiB", SOURCE_PROTOTYPE, "2 workers", 19.04, published_rate, {.bytes = 512ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_SAME, .special = SIM_PLAN, .plan = {.kind = CHOOSE_APART, .nr_workers = 2, .chunk_bytes = HUGE_BYTES, .gather = 1}}, {.bytes = 0}},
	{"vm-4cpu-zen5", "exchange of 4 KiB pages, chunks of 2 MiB", SOURCE_PROTOTYPE, "4 workers", 34.59, published_rate, {.bytes = 512ULL << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_SAME, .special = SIM_PLAN, .plan = {.kind = CHOOSE_APART, .nr_workers = 4, .chunk_bytes = HUGE_BYTES, .gather = 1}}, {.bytes = 0}},
	{"vm-4cpu-zen5", "exchange of huge pages", SOURCE_PROTOTYPE, "1 workers", 26.7, published_rate, {.bytes = 512ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_SAME, .special = SIM_PLAN, .plan = {.kind = CHOOSE_APART, .nr_workers = 1, .chunk_bytes = HUGE_BYTES, .gather = 1}}, {.bytes = 0}},
	{"vm-4cpu-zen5", "exchange of huge pages", SOURCE_PROTOTYPE, "2 workers", 34.2, published_rate, {.bytes = 512ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_SAME, .special = SIM_PLAN, .plan = {.kind = CHOOSE_APART, .nr_workers = 2, .chunk_bytes = HUGE_BYTES, .gather = 1}}, {.bytes = 0}},
	{"vm-4cpu-zen5", "exchange of huge pages", SOURCE_PROTOTYPE, "4 workers", 40.4, published_rate, {.bytes = 512ULL << 20, .folio_bytes = HUGE_BYTES, .reach = PROFILE_SAME, .special = SIM_PLAN, .plan = {.kind = CHOOSE_APART, .nr_workers = 4, .chunk_bytes = HUGE_BYTES, .gather = 1}}, {.bytes = 0}},
};
/* clang-format on */

const unsigned int sim_nr_published = ARRAY_SIZE(sim_published);
