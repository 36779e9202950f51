// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The DSA model as a device node for programs that know nothing of it: dsa_cuse NAME STATS [DIALS
 * [NR]] offers /dev/NAME (CUSE: it needs root and the module) with write() of descriptors, which
 * operate on the memory of the process that writes them. CUSE has no mmap. DIALS are the parameters
 * of dsa:model in docs/engines.md. On SIGTERM it writes counters and the breaches of clients to
 * STATS. If NR is given, it kills itself on accepting that many descriptors.
 *
 * One thread steps the model between requests: descriptors complete in random order, after the
 * write() that submitted them.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include "engines/dsa/params.h"
#include "models/dsa/dsa_model.h"
#include "tests/vm/guest/dsa_caller.h"
#include "tests/vm/guest/dsa_mirror.h"

#define MAX_WRITE_BYTES (64U << 10)
#define MAX_JOBS        1024
#define MAX_CLIENTS     64

struct job {
	struct mirror mirror;
	struct client client;
	uint64_t file;
};

static struct dsa_model_config config;
static struct dsa_model *model;
static struct client clients[MAX_CLIENTS]; /* by file handle; pid 0: free */
static uint32_t nr_clients;
static struct job *jobs[MAX_JOBS]; /* by age */
static uint32_t nr_jobs;
static uint64_t nr_changed_sources, nr_lost_records, nr_refused_forks, nr_invalid;
static uint64_t nr_left_to_live; /* descriptors; 0: any number */
static int cuse;
static char request[FUSE_MIN_READ_BUFFER + MAX_WRITE_BYTES] __attribute__((aligned(8)));

static void die(const char *what)
{
	fprintf(stderr, "dsa_cuse: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void reply(uint64_t unique, int error, const void *data, size_t data_bytes)
{
	struct fuse_out_header head = {.unique = unique, .error = error};
	struct iovec parts[] = {{&head, sizeof(head)}, {(void *)data, data_bytes}};

	head.len = (uint32_t)(sizeof(head) + data_bytes);
	/* ENOENT: the client has been killed in the meantime. */
	if (writev(cuse, parts, data_bytes ? 2 : 1) < 0 && errno != ENOENT)
		die("reply");
}

/* ---- descriptors -------------------------------------------------------------------------- */

/* Copies back what the device wrote, then the record. A client that has exited is ignored. */
static void job_finish(struct job *job)
{
	struct mirror *m = &job->mirror;
	bool alive = kill(job->client.pid, 0) == 0;
	bool ok;

	if (alive && source_changed(m, &job->client))
		nr_changed_sources++;
	ok = mirror_write_back(m, &job->client);
	nr_lost_records += alive && !ok;
	mirror_close(m);
	free(job);
}

static void finish_from(uint32_t first, uint32_t nr)
{
	for (uint32_t i = first; i < first + nr; i++)
		job_finish(jobs[i]);
	nr_jobs -= nr;
	memmove(&jobs[first], &jobs[first + nr], (nr_jobs - first) * sizeof(jobs[0]));
}

/*
 * Finishes jobs whose record the model has written. The others have ended when a later drain has,
 * or when the device is idle.
 */
static void finish_jobs(void)
{
	for (uint32_t i = 0; i < nr_jobs; i++) {
		struct mirror *m = &jobs[i]->mirror;

		if (!m->record || !dsa_cr_status(m->record))
			continue;
		if (m->desc.opcode == DSA_OPCODE_DRAIN)
			finish_from(0, i + 1);
		else
			finish_from(i, 1);
		i = (uint32_t)-1;
	}
	if (nr_jobs && !dsa_model_outstanding(model, 0))
		finish_from(0, nr_jobs);
}

/* The checks of the driver, before it touches any memory. */
static bool is_invalid(const struct dsa_hw_desc *desc)
{
	return (desc->opcode == DSA_OPCODE_BATCH && !config.submission_safe) ||
	       desc->completion_addr % DSA_CR_BYTES;
}

static int client_submit(uint64_t file, const struct dsa_hw_desc *desc)
{
	struct job *job;
	long taken;

	if (is_invalid(desc)) {
		nr_invalid++;
		return -EINVAL;
	}
	if (nr_jobs == MAX_JOBS)
		return -EAGAIN;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->file = file;
	job->client = clients[file];
	if (!mirror_open(&job->mirror, &job->client, desc, &config)) {
		free(job);
		return -ENOMEM;
	}
	taken = dsa_model_write(model, 0, &job->mirror.desc, sizeof(*desc));
	if (taken < 0) {
		mirror_close(&job->mirror);
		free(job);
		return (int)taken;
	}
	/* Not cleared by the client: the model has seen that. */
	if (job->mirror.record)
		job->mirror.record->status = 0;
	jobs[nr_jobs++] = job;
	if (nr_left_to_live && !--nr_left_to_live)
		kill(getpid(), SIGKILL);
	return 0;
}

/* ---- requests ----------------------------------------------------------------------------- */

static pid_t process_of(uint32_t thread)
{
	char path[64], line[128];
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", thread);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Tgid: %d", &pid) != 1)
		;
	if (f)
		fclose(f);
	return pid;
}

static void do_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO | FOPEN_NONSEEKABLE};
	char path[64];
	int fd;

	while (out.fh < MAX_CLIENTS && clients[out.fh].pid)
		out.fh++;
	if ((config.dedicated && nr_clients) || out.fh == MAX_CLIENTS) {
		reply(in->unique, -EBUSY, NULL, 0);
		return;
	}
	clients[out.fh].pid = process_of(in->pid);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", clients[out.fh].pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		clients[out.fh].pid = 0;
		reply(in->unique, -EIO, NULL, 0);
		return;
	}
	clients[out.fh].pagemap = fd;
	nr_clients++;
	reply(in->unique, 0, &out, sizeof(out));
}

/* The kernel drains the queue before a process exits. */
static void do_release(const struct fuse_in_header *in, const struct fuse_release_in *release)
{
	for (uint32_t i = nr_jobs; i-- > 0;) {
		if (jobs[i]->file != release->fh)
			continue;
		while (dsa_model_outstanding(model, 0) && dsa_model_step(model))
			;
		finish_jobs();
		break;
	}
	close(clients[release->fh].pagemap);
	clients[release->fh].pid = 0;
	nr_clients--;
	reply(in->unique, 0, NULL, 0);
}

static void do_write(const struct fuse_in_header *in, const struct fuse_write_in *write)
{
	const char *descs = (const char *)(write + 1);
	const struct client *client = &clients[write->fh];
	struct fuse_write_out out = {0};
	uint64_t taken_bytes;
	int err = 0;

	if (!caller_has_memory_of(client, in->pid)) {
		nr_refused_forks++;
		reply(in->unique, -EPERM, NULL, 0);
		return;
	}
	/* The offset of a part, where the kernel divides a long write. */
	taken_bytes = caller_bytes(client, in->pid, write->offset + write->size);
	while (!err && out.size + DSA_DESC_BYTES <= write->size &&
	       write->offset + out.size + DSA_DESC_BYTES <= taken_bytes) {
		struct dsa_hw_desc desc;

		memcpy(&desc, descs + out.size, sizeof(desc));
		err = client_submit(write->fh, &desc);
		if (!err)
			out.size += DSA_DESC_BYTES;
	}
	if (err && !out.size)
		reply(in->unique, err, NULL, 0);
	else
		reply(in->unique, 0, &out, sizeof(out));
}

static void do_poll(const struct fuse_in_header *in)
{
	struct fuse_poll_out out = {.revents = dsa_model_sw_error(model, 0) ? POLLIN : 0};

	reply(in->unique, 0, &out, sizeof(out));
}

static void do_init(const struct fuse_in_header *in, const char *name)
{
	struct {
		struct cuse_init_out init;
		char name[64];
	} out = {.init = {.major = FUSE_KERNEL_VERSION,
			  .minor = FUSE_KERNEL_MINOR_VERSION,
			  .max_read = PAGE_BYTES,
			  .max_write = MAX_WRITE_BYTES}};
	int len = snprintf(out.name, sizeof(out.name), "DEVNAME=%s", name);

	reply(in->unique, 0, &out, sizeof(out.init) + (size_t)len + 1);
}

/* False at the end of the requests. */
static bool serve_request(const char *name)
{
	const struct fuse_in_header *in = (const void *)request;
	const void *arg = in + 1;

	if (read(cuse, request, sizeof(request)) < 0)
		return errno == EINTR || errno == EAGAIN || errno == ENOENT;
	switch (in->opcode) {
	case CUSE_INIT:
		do_init(in, name);
		break;
	case FUSE_OPEN:
		do_open(in);
		break;
	case FUSE_RELEASE:
		do_release(in, arg);
		break;
	case FUSE_WRITE:
		do_write(in, arg);
		break;
	case FUSE_POLL:
		do_poll(in);
		break;
	case FUSE_INTERRUPT:
		break; /* nothing here takes long */
	default:
		reply(in->unique, in->opcode == FUSE_READ ? -EINVAL : -ENOSYS, NULL, 0);
	}
	return true;
}

/* ---- life --------------------------------------------------------------------------------- */

static void write_stats(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die(path);
	for (int i = 0; i < NR_DSA_COUNTERS; i++)
		fprintf(f, "%s %" PRIu64 "\n", dsa_model_counter_name(i),
			dsa_model_count(model, i));
	for (int i = 0; i < NR_DSA_FAULTS; i++)
		fprintf(f, "fault.%s %" PRIu64 "\n", dsa_fault_names[i],
			dsa_model_faults(model, i));
	for (int i = 0; i < NR_DSA_RULES; i++)
		if (dsa_model_breaches(model, i))
			fprintf(f, "breach.%s: %" PRIu64 "\n", dsa_rule_name(i),
				dsa_model_breaches(model, i));
	fprintf(f, "breaches %" PRIu64 "\n", dsa_model_all_breaches(model) + nr_lost_records);
	fprintf(f, "changed_sources %" PRIu64 "\nlost_records %" PRIu64 "\n", nr_changed_sources,
		nr_lost_records);
	fprintf(f, "invalid %" PRIu64 "\nforks %" PRIu64 "\n", nr_invalid, nr_refused_forks);
	if (fclose(f))
		die(path);
}

static void set_dials(const char *dials)
{
	struct dsa_options options;
	char params[256], why[256];

	snprintf(params, sizeof(params), "model%s%s", *dials ? "," : "", dials);
	if (dsa_parse_params(params, &options, why, sizeof(why))) {
		fprintf(stderr, "dsa_cuse: %s\n", why);
		exit(2);
	}
	config = *options.model;
	dsa_options_free(&options);
	if (config.null || config.nr_devices != 1) {
		fprintf(stderr, "dsa_cuse: one device, and one that copies\n");
		exit(2);
	}
	config.stepped = true;
	config.rawio = false;
	/* The mirror itself detects changes of sources. */
	config.watch = false;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct pollfd ready[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc < 3 || argc > 5) {
		fprintf(stderr, "usage: dsa_cuse NAME STATS [DIALS [NR]]\n");
		return 2;
	}
	set_dials(argc > 3 ? argv[3] : "");
	nr_left_to_live = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
	errno = -dsa_model_open(&config, &model);
	if (errno)
		die("model");
	cuse = open("/dev/cuse", O_RDWR | O_CLOEXEC);
	if (cuse < 0)
		die("/dev/cuse");
	ready[0].fd = cuse;
	ready[1].fd = open_signals();
	while (!(ready[1].revents & POLLIN)) {
		bool busy = dsa_model_step(model);

		finish_jobs();
		if (poll(ready, 2, busy ? 0 : -1) < 0 && errno != EINTR)
			die("poll");
		if ((ready[0].revents & (POLLIN | POLLERR)) && !serve_request(argv[1]))
			die("/dev/cuse");
	}
	write_stats(argv[2]);
	dsa_model_close(model);
	return 0;
}
