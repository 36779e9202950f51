/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of another process for a model that works in its own. The memory that a descriptor names
 * is copied to a mirror at submission, the model works on the mirror, and what it wrote is copied
 * back before the completion record. Pages that are missing in the client are missing in the
 * mirror, at the same offset in the page, so that the model itself finds them missing, overlapping
 * or misaligned.
 */
#ifndef DSA_MIRROR_H
#define DSA_MIRROR_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hw/dsa/desc.h"

#define CHUNK_PAGES  512
#define MAX_OPERANDS 4

/* Words of a descriptor that hold addresses. */
#define SRC   2
#define DST   3
#define DEST2 5
#define SEED  6

/* The process that opened the node. */
struct client {
	pid_t pid;
	int pagemap;
};

/* An address in a descriptor: in the client and in the mirror. */
struct operand {
	uint64_t addr;
	uint64_t len_bytes;
	uint64_t good_bytes; /* before the first page that the device cannot reach */
	bool write;
	char *mirror;
	char *arena; /* NULL: part of an earlier operand, which it overlaps */
	uint64_t arena_bytes;
};

struct mirror {
	struct dsa_hw_desc desc; /* the client's, with addresses in the mirror */
	struct operand operand[MAX_OPERANDS];
	uint32_t nr_operands;
	uint64_t record_addr;
	char *record_page; /* NULL: no record */
	struct dsa_completion_record *record;
};

static inline bool client_read(const struct client *c, void *to, uint64_t addr, uint64_t len_bytes)
{
	struct iovec local = {to, len_bytes}, remote = {(void *)addr, len_bytes};

	return process_vm_readv(c->pid, &local, 1, &remote, 1, 0) == (ssize_t)len_bytes;
}

static inline bool client_write(const struct client *c, uint64_t addr, const void *from,
				uint64_t len_bytes)
{
	struct iovec local = {(void *)from, len_bytes}, remote = {(void *)addr, len_bytes};

	return process_vm_writev(c->pid, &local, 1, &remote, 1, 0) == (ssize_t)len_bytes;
}

/* The part of [addr, addr + len_bytes) before page number `page`. */
static inline uint64_t bytes_before(uint64_t page, uint64_t addr, uint64_t len_bytes)
{
	uint64_t at = page * PAGE_BYTES;

	return at <= addr ? 0 : MIN(at - addr, len_bytes);
}

/*
 * Checked before any access: an access would fault the page in, which a device does not, and would
 * wait for the handler of its userfaultfd, which may be waiting for the device.
 */
static inline uint64_t present_bytes(const struct client *c, uint64_t addr, uint64_t len_bytes)
{
	uint64_t page = addr / PAGE_BYTES, end = (addr + len_bytes - 1) / PAGE_BYTES + 1;
	uint64_t entry[CHUNK_PAGES];

	while (page < end) {
		uint64_t nr = MIN(end - page, (uint64_t)CHUNK_PAGES);
		ssize_t got = pread(c->pagemap, entry, nr * 8, (off_t)(page * 8));

		for (uint64_t i = 0; i < nr; i++, page++)
			if ((ssize_t)(i * 8) >= got || !(entry[i] >> 63))
				return bytes_before(page, addr, len_bytes);
	}
	return len_bytes;
}

/* By writing a byte of each page back to it: until completion only the device may write there. */
static inline uint64_t writable_bytes(const struct client *c, const struct operand *op)
{
	struct iovec local[CHUNK_PAGES], remote[CHUNK_PAGES];
	uint64_t done = 0;

	while (done < op->good_bytes) {
		uint64_t at = done;
		unsigned int nr = 0;
		ssize_t taken;

		for (; nr < CHUNK_PAGES && at < op->good_bytes; nr++) {
			local[nr] = (struct iovec){op->mirror + at, 1};
			remote[nr] = (struct iovec){(void *)(op->addr + at), 1};
			at = (op->addr + at) / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES - op->addr;
		}
		taken = process_vm_writev(c->pid, local, nr, remote, nr, 0);
		if (taken < (ssize_t)nr) {
			taken = MAX(taken, 0);
			return bytes_before((op->addr + done) / PAGE_BYTES + (uint64_t)taken,
					    op->addr, op->good_bytes);
		}
		done = at;
	}
	return op->good_bytes;
}

static inline bool operands_overlap(const struct operand *a, const struct operand *b)
{
	return a->addr / PAGE_BYTES <= (b->addr + b->len_bytes - 1) / PAGE_BYTES &&
	       b->addr / PAGE_BYTES <= (a->addr + a->len_bytes - 1) / PAGE_BYTES;
}

/* An arena has room for two neighbours on either side, so that every overlap fits. */
static inline bool operand_place(struct mirror *m, struct operand *op)
{
	uint64_t stride = ALIGN_UP(op->len_bytes, PAGE_BYTES) + PAGE_BYTES;

	for (struct operand *other = m->operand; other < op; other++) {
		if (operands_overlap(op, other)) {
			op->mirror = other->mirror + (int64_t)(op->addr - other->addr);
			return true;
		}
	}
	op->arena_bytes = 5 * stride;
	op->arena = mmap(NULL, op->arena_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (op->arena == MAP_FAILED) {
		op->arena = NULL;
		return false;
	}
	/* A huge page would have pages that the client lacks. */
	madvise(op->arena, op->arena_bytes, MADV_NOHUGEPAGE);
	op->mirror = op->arena + 2 * stride + op->addr % PAGE_BYTES;
	return true;
}

/* Replaces the client's address in the descriptor by the mirror's. */
static inline bool add_operand(struct mirror *m, const struct client *c, unsigned int word,
			       uint64_t len_bytes, bool write)
{
	struct operand *op = &m->operand[m->nr_operands];
	struct dsa_raw_desc *raw = (void *)&m->desc;

	*op = (struct operand){.addr = raw->field[word], .len_bytes = len_bytes, .write = write};
	if (!operand_place(m, op))
		return false;
	m->nr_operands++;
	op->good_bytes = present_bytes(c, op->addr, len_bytes);
	if (op->good_bytes && !client_read(c, op->mirror, op->addr, op->good_bytes))
		op->good_bytes = 0;
	raw->field[word] = (uintptr_t)op->mirror;
	return true;
}

/* After all have been read: pages that are not writable may overlap readable ones. */
static inline void protect_operands(struct mirror *m, const struct client *c)
{
	for (uint32_t i = 0; i < m->nr_operands; i++) {
		struct operand *op = &m->operand[i];
		uint64_t bytes = op->write ? writable_bytes(c, op) : op->good_bytes;

		if (bytes < op->good_bytes)
			mprotect((void *)ALIGN_DOWN((uintptr_t)op->mirror + bytes, PAGE_BYTES),
				 ALIGN_UP(op->len_bytes - bytes, PAGE_BYTES), PROT_READ);
		op->good_bytes = bytes;
	}
}

/* Records may be faulted in. If one is not writable, the mirror of it is not either. */
static inline bool add_record(struct mirror *m, const struct client *c)
{
	uint64_t addr = m->desc.completion_addr;
	void *page;

	if (!addr)
		return true;
	page = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (page == MAP_FAILED)
		return false;
	m->record_page = page;
	m->record = (void *)(m->record_page + addr % PAGE_BYTES);
	m->record_addr = addr;
	m->desc.completion_addr = (uintptr_t)m->record;
	if (!client_read(c, m->record, addr, DSA_CR_BYTES) ||
	    !client_write(c, addr, (const void *)m->record, 1))
		mprotect(page, 2 * PAGE_BYTES, PROT_NONE), m->record = NULL;
	return true;
}

static inline void mirror_close(struct mirror *m)
{
	for (uint32_t i = 0; i < m->nr_operands; i++)
		if (m->operand[i].arena)
			munmap(m->operand[i].arena, m->operand[i].arena_bytes);
	if (m->record_page)
		munmap(m->record_page, 2 * PAGE_BYTES);
}

static inline bool add_operands(struct mirror *m, const struct client *c)
{
	struct dsa_hw_desc *d = &m->desc;
	uint64_t len = d->xfer_size;

	switch (d->opcode) {
	case DSA_OPCODE_MEMFILL:
	case DSA_OPCODE_CFLUSH:
		return add_operand(m, c, DST, len, true);
	case DSA_OPCODE_COMPVAL:
		return add_operand(m, c, SRC, len, false);
	case DSA_OPCODE_COMPARE:
		return add_operand(m, c, SRC, len, false) && add_operand(m, c, DST, len, false);
	case DSA_OPCODE_MEMMOVE:
		return add_operand(m, c, SRC, len, false) && add_operand(m, c, DST, len, true);
	case DSA_OPCODE_DUALCAST:
		return add_operand(m, c, SRC, len, false) && add_operand(m, c, DST, len, true) &&
		       add_operand(m, c, DEST2, len, true);
	case DSA_OPCODE_CRCGEN:
	case DSA_OPCODE_COPY_CRC:
		if ((d->flags & DSA_FLAG_CRC_SEED_MEM) && !add_operand(m, c, SEED, 4, false))
			return false;
		return add_operand(m, c, SRC, len, false) &&
		       (d->opcode == DSA_OPCODE_CRCGEN || add_operand(m, c, DST, len, true));
	default:
		return true;
	}
}

/* The model refuses descriptors of this size: no mirror. */
static inline bool sized_right(const struct dsa_hw_desc *d, uint64_t max_bytes)
{
	uint64_t len = d->xfer_size;

	return len && len <= max_bytes && d->src_addr + len >= len && d->dst_addr + len >= len &&
	       (d->opcode != DSA_OPCODE_DUALCAST || d->dest2 + len >= len);
}

static inline bool mirror_open(struct mirror *m, const struct client *c,
			       const struct dsa_hw_desc *desc, uint64_t max_bytes)
{
	*m = (struct mirror){.desc = *desc};
	if (!add_record(m, c) || (sized_right(desc, max_bytes) && !add_operands(m, c))) {
		mirror_close(m);
		return false;
	}
	protect_operands(m, c);
	return true;
}

/* Unless its own descriptor overwrote it. */
static inline bool source_changed(const struct mirror *m, const struct client *c)
{
	const struct operand *src = &m->operand[0];
	char now[PAGE_BYTES];

	if (m->desc.opcode != DSA_OPCODE_MEMMOVE || !m->operand[1].arena)
		return false;
	for (uint64_t at = 0; at < src->good_bytes; at += PAGE_BYTES) {
		uint64_t len = MIN(src->good_bytes - at, PAGE_BYTES);

		if (present_bytes(c, src->addr + at, len) == len &&
		    client_read(c, now, src->addr + at, len) && memcmp(now, src->mirror + at, len))
			return true;
	}
	return false;
}

static inline bool mirror_write_back(const struct mirror *m, const struct client *c)
{
	bool ok = true;

	for (uint32_t i = 0; i < m->nr_operands; i++) {
		const struct operand *op = &m->operand[i];

		if (op->write && op->good_bytes)
			ok &= client_write(c, op->addr, op->mirror, op->good_bytes);
	}
	return ok;
}

/* The status is written last, by a store of its own: a client that sees it may read the rest. */
static inline bool mirror_write_record(const struct mirror *m, const struct client *c)
{
	struct dsa_completion_record cr = *m->record;
	uint8_t *bytes = (uint8_t *)&cr;

	for (uint32_t i = 0; i < m->nr_operands; i++) {
		const struct operand *op = &m->operand[i];
		uint64_t page = ALIGN_DOWN((uintptr_t)op->mirror, PAGE_BYTES);
		uint64_t span = op->addr % PAGE_BYTES + op->len_bytes;

		if (cr.fault_addr < page || cr.fault_addr >= page + span)
			continue;
		cr.fault_addr += ALIGN_DOWN(op->addr, PAGE_BYTES) - page;
		break;
	}
	return client_write(c, m->record_addr + 1, bytes + 1, DSA_CR_BYTES - 1) &&
	       client_write(c, m->record_addr, bytes, 1);
}

#endif
