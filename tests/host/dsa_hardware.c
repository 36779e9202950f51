// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The engine's hardware path, unmodified, without hardware: discovery in an artificial tree, open,
 * mmap, write and the real MOVDIR64B instruction. The node of a dedicated queue is a file whose
 * first page is the portal: a thread forwards what arrives in its slots to the model. The node of a
 * shared queue is a pipe, which cannot be mapped: what is written to it goes to the model's
 * write(). A hook returns EPERM where the driver does: for mmap without CAP_SYS_RAWIO, and for
 * write in a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sys.h"
#include "engines/device/instructions.h"
#include "engines/dsa/doctor.h"
#include "engines/dsa/portal.h"
#include "engines/engine.h"
#include "models/dsa/dsa_model.h"
#include "tests/testlib/tap.h"

#if defined(__SANITIZE_THREAD__)
#define BLIND "the sanitizer does not see what instructions and pipes hand over"
#else
#define BLIND NULL
#endif

#define NR_CHECKS 14
#define NR_ITEMS  2000
#define NR_SLOTS  (PAGE_BYTES / DSA_DESC_BYTES)

static char root[] = "/tmp/dsa-hardware-XXXXXX";
static struct dsa_model *model;
static atomic_bool stop;

static void put_file(const char *path, const char *value)
{
	char full[256], *slash;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (slash = full + sizeof(root); (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(full, 0755);
	}
	f = fopen(full, "w");
	if (!f || fputs(value, f) < 0 || fclose(f))
		abort();
}

static void make_tree(const char *mode)
{
	put_file("sys/bus/dsa/drivers/idxd/bind", "");
	put_file("sys/bus/dsa/devices/dsa0/state", "enabled");
	put_file("sys/bus/dsa/devices/dsa0/numa_node", "0");
	put_file("sys/bus/dsa/devices/dsa0/wq0.0/state", "enabled");
	put_file("sys/bus/dsa/devices/dsa0/wq0.0/type", "user");
	put_file("sys/bus/dsa/devices/dsa0/wq0.0/mode", mode);
	put_file("sys/bus/dsa/devices/dsa0/wq0.0/size", "32");
	put_file("sys/bus/dsa/devices/dsa0/wq0.0/max_batch_size", "16");
	put_file("sys/bus/dsa/devices/dsa0/wq0.0/max_transfer_size", "2097152");
	put_file("dev/dsa/placeholder", "");
}

static char *node_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/dev/dsa/wq0.0", root);
	return path;
}

/*
 * Empties the slots. The page is written 64 bytes at a time, so when the address of the record is
 * there, the whole descriptor is.
 */
static unsigned int collect_slots(volatile struct dsa_raw_desc *slots, struct dsa_raw_desc *out,
				  unsigned int *from)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		if (!slots[i].field[1])
			continue;
		for (int word = 0; word < 8; word++)
			out[nr].field[word] = slots[i].field[word];
		slots[i].field[1] = 0;
		from[nr++] = i;
	}
	return nr;
}

/*
 * A device accepts descriptors in the order of their stores; here they wait in slots. So the
 * carrier empties all slots before it forwards any: otherwise the sender, whose queue has room
 * again, could reach a slot that was filled just after the carrier had passed it.
 */
static void *carry_from_portal(void *arg)
{
	struct dsa_raw_desc descs[NR_SLOTS] __attribute__((aligned(DSA_DESC_BYTES)));
	unsigned int from[NR_SLOTS];

	while (!atomic_load(&stop)) {
		unsigned int nr = collect_slots(arg, descs, from);

		for (unsigned int i = 0; i < nr; i++)
			dsa_model_movdir64b(model, 0, from[i] * DSA_DESC_BYTES, &descs[i],
					    sizeof(descs[i]));
		sched_yield();
	}
	return NULL;
}

/*
 * A device that is slow by the clock of the engine's thread: each look at it takes 10 ms, and
 * nothing is forwarded before the 100th.
 */
#define SLOW_LOOKS 100
static atomic_uint looks_left;
static uint64_t looks_ns;
static pthread_t looker;

static bool slow_clock(long nr, const long args[6], long *ret)
{
	struct timespec *ts = (struct timespec *)args[1];
	uint64_t now;

	if (nr != SYS_clock_gettime || !pthread_equal(pthread_self(), looker))
		return false;
	*ret = syscall(SYS_clock_gettime, args[0], ts);
	if (atomic_load(&looks_left)) {
		looks_ns += 10 * NS_PER_MS;
		atomic_fetch_sub(&looks_left, 1);
	}
	now = (uint64_t)ts->tv_sec * NS_PER_SEC + (uint64_t)ts->tv_nsec + looks_ns;
	ts->tv_sec = (time_t)(now / NS_PER_SEC);
	ts->tv_nsec = (long)(now % NS_PER_SEC);
	return true;
}

static void *carry_from_pipe(void *arg)
{
	int fd = *(int *)arg;
	struct dsa_hw_desc desc __attribute__((aligned(DSA_DESC_BYTES)));

	while (read(fd, &desc, sizeof(desc)) == sizeof(desc)) {
		if (atomic_load(&stop))
			break;
		while (atomic_load(&looks_left) ||
		       dsa_model_write(model, 0, &desc, sizeof(desc)) == -EAGAIN)
			sched_yield();
	}
	return NULL;
}

static pid_t opener;

static bool refuse_unprivileged(long nr, const long args[6], long *ret)
{
	*ret = -EPERM;
	return (nr == SYS_mmap && (int)args[4] >= 0) || (nr == SYS_write && getpid() != opener);
}

struct counts {
	uint64_t batches, singles;
	uint64_t no_device; /* items left to the CPU */
	bool not_permitted; /* the queue's error counter is there */
};

static void count_fallbacks(void *arg, const char *name, uint64_t value)
{
	struct counts *counts = arg;

	if (!strcmp(name, "batches"))
		counts->batches = value;
	else if (!strcmp(name, "singles"))
		counts->singles = value;
	else if (!strcmp(name, "fallback.no_device"))
		counts->no_device = value;
	else if (!strcmp(name, "error.wq0.0 Operation not permitted"))
		counts->not_permitted = value;
}

static uint8_t *map_area(size_t len_bytes)
{
	void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

/* Copies NR_ITEMS pages; returns how many are wrong for their state. */
static int copy_pages(struct engine_channel *channel, enum engine_state state)
{
	const struct engine_ops *ops = channel->engine->ops;
	static struct engine_item items[NR_ITEMS];
	uint8_t *src = map_area(NR_ITEMS * PAGE_BYTES), *dst = map_area(NR_ITEMS * PAGE_BYTES);
	struct engine_batch batch = {.items = items, .nr_items = NR_ITEMS}, *done;
	int wrong = 0;

	for (size_t i = 0; i < NR_ITEMS * PAGE_BYTES; i++)
		src[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
	for (uint32_t i = 0; i < NR_ITEMS; i++)
		items[i] = (struct engine_item){.dst = dst + i * PAGE_BYTES,
						.src = src + i * PAGE_BYTES,
						.len_bytes = PAGE_BYTES};
	ops->submit(channel, &batch);
	while (!ops->poll(channel, 1000000000, &done, 1))
		;
	for (uint32_t i = 0; i < NR_ITEMS; i++) {
		if (state == ENGINE_NOT_ATTEMPTED)
			memcpy(items[i].dst, items[i].src, PAGE_BYTES);
		wrong += items[i].state != state;
	}
	for (size_t i = 0; i < NR_ITEMS * PAGE_BYTES; i++)
		wrong += dst[i] != (uint8_t)(i ^ i >> 8 ^ i >> 16);
	munmap(src, NR_ITEMS * PAGE_BYTES);
	munmap(dst, NR_ITEMS * PAGE_BYTES);
	return wrong;
}

static bool open_engine(struct engine **engine, struct engine_channel **channel)
{
	struct engine_env env = {0};
	char why[1024] = "";

	if (!engine_open("dsa:timeout_us=60000000", &env, engine, why, sizeof(why)) &&
	    !(*engine)->ops->channel_open(*engine, 0, channel))
		return true;
	tap_note("%s", why);
	return false;
}

static int move_pages(struct counts *counts)
{
	struct engine_channel *channel;
	struct engine *engine;
	int wrong;

	if (!open_engine(&engine, &channel))
		return NR_ITEMS;
	wrong = copy_pages(channel, ENGINE_COPIED);
	engine->ops->counters(engine, count_fallbacks, counts);
	engine->ops->channel_close(channel);
	engine_close(engine);
	return wrong;
}

/* In a child of the process that opened the engine. */
static int move_in_child(struct engine_channel *channel)
{
	struct counts counts = {0};
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(60);
		status = copy_pages(channel, ENGINE_NOT_ATTEMPTED) != 0;
		channel->engine->ops->counters(channel->engine, count_fallbacks, &counts);
		_exit(status | (counts.no_device != NR_ITEMS) << 1 | !counts.not_permitted << 2);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool doctor_heard;
static char batches_detail[512], batches_line[512];

static void doctor_hear(void *arg __maybe_unused, const char *step, bool ok, const char *detail,
			const char *remedy)
{
	tap_note("%s: %s: %s%s%s", step, ok ? "ok" : "BROKEN", detail, remedy ? " -> " : "",
		 remedy ? remedy : "");
	doctor_heard |= ok && !strcmp(step, "a NOOP through the queue");
	if (strcmp(step, "batches") != 0)
		return;
	snprintf(batches_detail, sizeof(batches_detail), "%s", detail);
	snprintf(batches_line, sizeof(batches_line), "%s", remedy ? remedy : "");
}

static void open_model(bool dedicated, bool rawio)
{
	struct dsa_model_config config;

	dsa_model_defaults(&config);
	config.dedicated = dedicated;
	config.rawio = rawio;
	config.wq_size = config.wq_threshold = 32;
	config.max_batch = 16;
	if (dsa_model_open(&config, &model))
		abort();
	atomic_store(&stop, false);
	doctor_heard = false;
}

static void test_movdir64b(void)
{
	struct counts counts = {0};
	pthread_t thread;
	void *page;
	int fd, wrong;

	make_tree("dedicated");
	open_model(true, true);
	fd = open(node_path(), O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, PAGE_BYTES))
		abort();
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED || pthread_create(&thread, NULL, carry_from_portal, page))
		abort();
	tap_ok(dsa_doctor(doctor_hear, NULL) == 0 && doctor_heard, "the doctor finds the portal");
	wrong = move_pages(&counts);
	tap_ok(!wrong && counts.batches >= NR_ITEMS / 16,
	       "%d pages by MOVDIR64B in %lu batches, %d wrong", NR_ITEMS,
	       (unsigned long)counts.batches, wrong);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	tap_ok(!dsa_model_all_breaches(model), "no breach");
	dsa_model_close(model);
	munmap(page, PAGE_BYTES);
	close(fd);
	unlink(node_path());
}

static pthread_t carrier;
static int pipe_fd;

static void open_pipe(void)
{
	if (mkfifo(node_path(), 0600))
		abort();
	pipe_fd = open(node_path(), O_RDWR);
	if (pipe_fd < 0 || pthread_create(&carrier, NULL, carry_from_pipe, &pipe_fd))
		abort();
}

static void close_pipe(void)
{
	struct dsa_hw_desc last = {0};

	atomic_store(&stop, true);
	if (write(pipe_fd, &last, sizeof(last)) != sizeof(last))
		abort();
	pthread_join(carrier, NULL);
	tap_ok(!dsa_model_all_breaches(model), "no breach");
	dsa_model_close(model);
	close(pipe_fd);
	unlink(node_path());
}

static void test_write(void)
{
	struct dsa_queue shared = {.name = "wq0.0", .shared = true};
	struct counts counts = {0};
	char remedy[192];
	int wrong;

	make_tree("shared");
	open_model(false, false);
	open_pipe();
	dsa_batches_remedy(&shared, device_cpu_has_enqcmd(), device_cpu_has_movdir64b(), remedy,
			   sizeof(remedy));
	tap_ok(dsa_doctor(doctor_hear, NULL) == 1 && doctor_heard && !strcmp(batches_line, remedy),
	       "the doctor finds write() and says how to get batches");
	wrong = move_pages(&counts);
	tap_ok(!wrong && !counts.batches && counts.singles == NR_ITEMS,
	       "%d pages by write(), %lu singles, %d wrong", NR_ITEMS,
	       (unsigned long)counts.singles, wrong);
	close_pipe();
}

static void test_slow(void)
{
	struct engine_channel *channel;
	struct engine *engine;
	bool opened;

	make_tree("shared");
	open_model(false, false);
	open_pipe();
	looker = pthread_self();
	atomic_store(&looks_left, SLOW_LOOKS);
	sys_hook = slow_clock;
	opened = open_engine(&engine, &channel);
	tap_ok(opened, "a NOOP may take as long as the timeout says");
	if (opened) {
		engine->ops->channel_close(channel);
		engine_close(engine);
	}
	sys_hook = NULL;
	atomic_store(&looks_left, 0);
	close_pipe();
}

/* The CPU has the instruction, but the process must not map the portal. */
static void test_unprivileged(void)
{
	struct counts counts = {0};
	int wrong;

	make_tree("dedicated");
	open_model(true, false);
	open_pipe();
	tap_ok(dsa_doctor(doctor_hear, NULL) == 1 && doctor_heard &&
		       strstr(batches_detail, "movdir64b: mapping the portal: Operation not "
					      "permitted") &&
		       strstr(batches_line, "setcap cap_sys_rawio"),
	       "a portal that may not be mapped: the doctor says so, and what is wanted for it");
	wrong = move_pages(&counts);
	tap_ok(!wrong && !counts.batches && counts.singles == NR_ITEMS,
	       "%d pages by write() instead, %lu singles, %d wrong", NR_ITEMS,
	       (unsigned long)counts.singles, wrong);
	close_pipe();
}

static void test_fork(void)
{
	struct engine_channel *channel;
	struct engine *engine;
	int failed;

	make_tree("shared");
	open_model(false, false);
	open_pipe();
	if (!open_engine(&engine, &channel))
		abort();
	failed = move_in_child(channel);
	tap_ok(!failed, "a child may not write: all to the CPU, and the reason is kept (%d)",
	       failed);
	tap_ok(!copy_pages(channel, ENGINE_COPIED), "its parent goes on");
	engine->ops->channel_close(channel);
	engine_close(engine);
	close_pipe();
}

int main(void)
{
	char path[64];

	alarm(300);
	tap_plan(NR_CHECKS);
	if (BLIND) {
		for (int i = 0; i < NR_CHECKS; i++)
			tap_skip(BLIND, "the hardware path");
		return tap_done();
	}
	if (!mkdtemp(root))
		abort();
	snprintf(path, sizeof(path), "%s/sys", root);
	setenv("FERRY_SYSFS_ROOT", path, 1);
	snprintf(path, sizeof(path), "%s/dev", root);
	setenv("FERRY_DEV_ROOT", path, 1);
	opener = getpid();
	test_write();
	if (device_cpu_has_movdir64b())
		test_movdir64b();
	test_slow();
	sys_hook = refuse_unprivileged;
	test_fork();
	if (device_cpu_has_movdir64b())
		test_unprivileged();
	for (int i = 0; i < 6 && !device_cpu_has_movdir64b(); i++)
		tap_skip("this CPU has no MOVDIR64B", "dedicated queue");
	snprintf(path, sizeof(path), "rm -rf %s", root);
	return system(path) || tap_done();
}
