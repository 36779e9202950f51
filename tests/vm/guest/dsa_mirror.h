/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of another process for a model that works in its own. The memory that a descriptor names,
 * or a batch and all its descriptors, is copied to a mirror at submission, the model works on the
 * mirror, and what it wrote is copied back before the completion records. Pages that are missing in
 * the client are missing in the mirror, at the same offset in the page, so that the model itself
 * finds them missing, overlapping or misaligned.
 */
#ifndef DSA_MIRROR_H
#define DSA_MIRROR_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hw/dsa/desc.h"
#include "models/dsa/dsa_model.h"

#define CHUNK_PAGES 512
/* Source, two destinations and a CRC seed or a list; the record. */
#define MAX_OPERANDS 4

/* Words of a descriptor that hold addresses. */
#define RECORD 1
#define SRC    2
#define DST    3
#define DEST2  5
#define SEED   6

/* The process that opened the node. */
struct client {
	pid_t pid;
	int pagemap;
};

/* An address in a descriptor. */
struct operand {
	struct dsa_hw_desc *desc;
	unsigned int word;
	uint64_t addr; /* in the client */
	uint64_t len_bytes;
	uint64_t good_bytes; /* before the first page that the device cannot reach */
	char *mirror;
	bool write;
	bool fault_in; /* the device may have the page made present */
};

/* Pages of the client, in a row, that the mirror has in a row too. */
struct stretch {
	uint64_t addr;
	uint64_t end;
	char *mirror;
};

struct mirror {
	struct dsa_hw_desc desc; /* the client's, with addresses in the mirror */
	struct operand *operands;
	uint32_t nr_operands;
	struct stretch *stretches;
	uint32_t nr_stretches;
	struct dsa_completion_record *record; /* NULL: none that can be written */
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

static inline uint64_t page_after(uint64_t addr)
{
	return ALIGN_DOWN(addr, PAGE_BYTES) + PAGE_BYTES;
}

/* ---- which memory a descriptor names ------------------------------------------------------- */

static inline void add_operand(struct mirror *m, struct dsa_hw_desc *desc, unsigned int word,
			       uint64_t len_bytes, bool write, bool fault_in)
{
	struct dsa_raw_desc *raw = (void *)desc;

	m->operands[m->nr_operands++] = (struct operand){.desc = desc,
							 .word = word,
							 .addr = raw->field[word],
							 .len_bytes = len_bytes,
							 .write = write,
							 .fault_in = fault_in};
}

/* The model refuses descriptors of other sizes: no mirror. */
static inline bool sized_right(const struct dsa_hw_desc *d, uint64_t max_bytes)
{
	uint64_t len = d->xfer_size;

	return len && len <= max_bytes && d->src_addr + len >= len && d->dst_addr + len >= len &&
	       (d->opcode != DSA_OPCODE_DUALCAST || d->dest2 + len >= len);
}

static inline void add_operands(struct mirror *m, struct dsa_hw_desc *d,
				const struct dsa_model_config *config)
{
	bool block = config->block_on_fault && (d->flags & IDXD_OP_FLAG_BOF);
	uint64_t len = d->xfer_size;

	if ((d->flags & IDXD_OP_FLAG_CRAV) && d->completion_addr % DSA_CR_BYTES == 0)
		add_operand(m, d, RECORD, DSA_CR_BYTES, true, true);
	if (!sized_right(d, config->max_transfer_bytes))
		return;
	switch (d->opcode) {
	case DSA_OPCODE_CRCGEN:
	case DSA_OPCODE_COPY_CRC:
		if (d->flags & DSA_FLAG_CRC_SEED_MEM)
			add_operand(m, d, SEED, 4, false, block);
		break;
	case DSA_OPCODE_DUALCAST:
		add_operand(m, d, DEST2, len, true, block);
		break;
	default:
		break;
	}
	switch (d->opcode) {
	case DSA_OPCODE_MEMMOVE:
	case DSA_OPCODE_COPY_CRC:
	case DSA_OPCODE_DUALCAST:
		add_operand(m, d, SRC, len, false, block);
		add_operand(m, d, DST, len, true, block);
		break;
	case DSA_OPCODE_MEMFILL:
	case DSA_OPCODE_CFLUSH:
		add_operand(m, d, DST, len, true, block);
		break;
	case DSA_OPCODE_COMPARE:
		add_operand(m, d, SRC, len, false, block);
		add_operand(m, d, DST, len, false, block);
		break;
	case DSA_OPCODE_COMPVAL:
	case DSA_OPCODE_CRCGEN:
		add_operand(m, d, SRC, len, false, block);
		break;
	default:
		break;
	}
}

/* ---- the mirror's memory -------------------------------------------------------------------- */

static inline int stretch_compare(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* The pages of all operands, those in common once. */
static inline bool map_stretches(struct mirror *m)
{
	uint32_t nr = 0;

	m->stretches = calloc(m->nr_operands + 1, sizeof(*m->stretches));
	if (!m->stretches)
		return false;
	for (uint32_t i = 0; i < m->nr_operands; i++) {
		const struct operand *op = &m->operands[i];

		m->stretches[i].addr = ALIGN_DOWN(op->addr, PAGE_BYTES);
		m->stretches[i].end = page_after(op->addr + op->len_bytes - 1);
	}
	qsort(m->stretches, m->nr_operands, sizeof(*m->stretches), stretch_compare);
	for (uint32_t i = 0; i < m->nr_operands; i++) {
		struct stretch next = m->stretches[i];

		if (nr && next.addr < m->stretches[nr - 1].end)
			m->stretches[nr - 1].end = MAX(m->stretches[nr - 1].end, next.end);
		else
			m->stretches[nr++] = next;
	}
	for (; m->nr_stretches < nr; m->nr_stretches++) {
		struct stretch *s = &m->stretches[m->nr_stretches];

		s->mirror = mmap(NULL, s->end - s->addr, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (s->mirror == MAP_FAILED)
			return false;
		/* A huge page would have pages that the client lacks. */
		madvise(s->mirror, s->end - s->addr, MADV_NOHUGEPAGE);
	}
	return true;
}

static inline char *mirror_of(const struct mirror *m, uint64_t addr)
{
	for (uint32_t i = 0; i < m->nr_stretches; i++)
		if (addr >= m->stretches[i].addr && addr < m->stretches[i].end)
			return m->stretches[i].mirror + (addr - m->stretches[i].addr);
	return NULL;
}

/* The client's address of one in the mirror; others, such as 0, remain. */
static inline uint64_t client_addr(const struct mirror *m, uint64_t mirrored)
{
	for (uint32_t i = 0; i < m->nr_stretches; i++) {
		const struct stretch *s = &m->stretches[i];

		if (mirrored >= (uintptr_t)s->mirror &&
		    mirrored - (uintptr_t)s->mirror < s->end - s->addr)
			return s->addr + (mirrored - (uintptr_t)s->mirror);
	}
	return mirrored;
}

/* ---- copies --------------------------------------------------------------------------------- */

/*
 * Where the pages that are present end, from op's byte `from` on; missing pages if `present` is
 * false. Checked before any access: an access would fault the page in, which a device does not, and
 * would wait for the handler of its userfaultfd, which may be waiting for the device.
 */
static inline uint64_t present_until(const struct client *c, const struct operand *op,
				     uint64_t from, bool present)
{
	uint64_t end = op->addr + op->len_bytes, at = op->addr + from;
	uint64_t entry[CHUNK_PAGES];

	while (at < end) {
		uint64_t page = at / PAGE_BYTES;
		uint64_t nr = MIN((end - 1) / PAGE_BYTES + 1 - page, (uint64_t)CHUNK_PAGES);
		ssize_t got = pread(c->pagemap, entry, nr * 8, (off_t)(page * 8));

		for (uint64_t i = 0; i < nr && at < end; i++, at = page_after(at))
			if (((ssize_t)(i * 8) < got && entry[i] >> 63) != present)
				return at - op->addr;
	}
	return op->len_bytes;
}

static inline void operand_stops(struct operand *op, uint64_t at)
{
	op->good_bytes = MIN(op->good_bytes, at);
}

static inline void *operand_page(const struct operand *op, uint64_t at)
{
	return (void *)ALIGN_DOWN((uintptr_t)op->mirror + at, PAGE_BYTES);
}

/* Page by page. One that cannot be read is missing in the mirror, for good. */
static inline void read_pages(const struct client *c, struct operand *op, uint64_t at, uint64_t end)
{
	for (uint64_t next; at < end; at = next) {
		next = MIN(page_after(op->addr + at) - op->addr, end);
		if (client_read(c, op->mirror + at, op->addr + at, next - at))
			continue;
		madvise(operand_page(op, at), PAGE_BYTES, MADV_DONTNEED);
		mprotect(operand_page(op, at), PAGE_BYTES, PROT_NONE);
		operand_stops(op, at);
	}
}

static inline void operand_read(const struct client *c, struct operand *op)
{
	uint64_t at = 0;

	op->good_bytes = op->len_bytes;
	if (op->fault_in)
		read_pages(c, op, 0, op->len_bytes);
	while (!op->fault_in && at < op->len_bytes) {
		uint64_t until = present_until(c, op, at, true);

		if (!client_read(c, op->mirror + at, op->addr + at, until - at))
			read_pages(c, op, at, until);
		if (until < op->len_bytes)
			operand_stops(op, until);
		at = present_until(c, op, until, false);
	}
}

/* By writing a byte of each page back to it: until completion only the device may write there. */
static inline void operand_protect(const struct client *c, struct operand *op)
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
			at = page_after(op->addr + at) - op->addr;
		}
		taken = process_vm_writev(c->pid, local, nr, remote, nr, 0);
		if (taken < (ssize_t)nr) {
			at = (uint64_t)remote[MAX(taken, 0)].iov_base - op->addr;
			mprotect(operand_page(op, at), PAGE_BYTES, PROT_READ);
			operand_stops(op, at);
			return;
		}
		done = at;
	}
}

static inline void mirror_operands(struct mirror *m, const struct client *c)
{
	for (uint32_t i = 0; i < m->nr_operands; i++) {
		struct operand *op = &m->operands[i];

		op->mirror = mirror_of(m, op->addr);
		operand_read(c, op);
		((struct dsa_raw_desc *)op->desc)->field[op->word] = (uintptr_t)op->mirror;
	}
	/* After all have been read: pages that are not writable may overlap readable ones. */
	for (uint32_t i = 0; i < m->nr_operands; i++)
		if (m->operands[i].write)
			operand_protect(c, &m->operands[i]);
}

/* ---- open, close ---------------------------------------------------------------------------- */

static inline bool batch_counts(const struct dsa_hw_desc *desc, uint32_t max_batch)
{
	return desc->opcode == DSA_OPCODE_BATCH && desc->desc_count <= max_batch &&
	       desc->desc_list_addr % DSA_DESC_BYTES == 0;
}

/* How many descriptors of the client's list can be read, and what they are. */
static inline uint32_t list_read(const struct client *c, const struct dsa_hw_desc *batch,
				 struct dsa_hw_desc *list)
{
	uint32_t nr = 0;

	while (nr < batch->desc_count &&
	       client_read(c, &list[nr], batch->desc_list_addr + nr * DSA_DESC_BYTES,
			   DSA_DESC_BYTES))
		nr++;
	return nr;
}

static inline void mirror_close(struct mirror *m)
{
	for (uint32_t i = 0; i < m->nr_stretches; i++)
		munmap(m->stretches[i].mirror, m->stretches[i].end - m->stretches[i].addr);
	free(m->stretches);
	free(m->operands);
}

static inline bool mirror_open(struct mirror *m, const struct client *c,
			       const struct dsa_hw_desc *desc,
			       const struct dsa_model_config *config)
{
	uint32_t nr_listed = batch_counts(desc, config->max_batch) ? desc->desc_count : 0;
	struct dsa_hw_desc *list = calloc(nr_listed + 1, sizeof(*list));
	bool done = false;

	*m = (struct mirror){.desc = *desc};
	m->operands = calloc((nr_listed + 1) * MAX_OPERANDS, sizeof(*m->operands));
	if (!list || !m->operands)
		goto out;
	/* Its own record is the first operand, if it has one. */
	add_operands(m, &m->desc, config);
	if (nr_listed)
		add_operand(m, &m->desc, SRC, nr_listed * DSA_DESC_BYTES, false, true);
	nr_listed = nr_listed ? list_read(c, desc, list) : 0;
	for (uint32_t i = 0; i < nr_listed; i++)
		add_operands(m, &list[i], config);
	if (!map_stretches(m))
		goto out;
	mirror_operands(m, c);
	if (nr_listed)
		memcpy(mirror_of(m, desc->desc_list_addr), list, nr_listed * sizeof(*list));
	if (m->nr_operands && m->operands[0].word == RECORD && m->operands[0].good_bytes)
		m->record = (void *)m->operands[0].mirror;
	done = true;
out:
	free(list);
	if (!done)
		mirror_close(m);
	return done;
}

/* ---- completion ----------------------------------------------------------------------------- */

/* Unless its own descriptor overwrote it. */
static inline bool source_changed(const struct mirror *m, const struct client *c)
{
	const struct operand *dst = &m->operands[m->nr_operands - 1], *src = dst - 1;
	char now[PAGE_BYTES];

	if (m->desc.opcode != DSA_OPCODE_MEMMOVE || m->nr_operands < 2 || src->word != SRC ||
	    (src->addr < dst->addr + dst->len_bytes && dst->addr < src->addr + src->len_bytes))
		return false;
	for (uint64_t at = 0; at < src->good_bytes; at += PAGE_BYTES) {
		struct operand part = {.addr = src->addr + at,
				       .len_bytes = MIN(src->good_bytes - at, PAGE_BYTES)};

		if (present_until(c, &part, 0, true) == part.len_bytes &&
		    client_read(c, now, part.addr, part.len_bytes) &&
		    memcmp(now, src->mirror + at, part.len_bytes))
			return true;
	}
	return false;
}

/* The status is written last, by a store of its own: a client that sees it may read the rest. */
static inline bool record_write_back(const struct mirror *m, const struct client *c,
				     const struct operand *op)
{
	struct dsa_completion_record cr = *(const struct dsa_completion_record *)op->mirror;
	const uint8_t *bytes = (const uint8_t *)&cr;

	if (!cr.status)
		return true;
	cr.fault_addr = client_addr(m, cr.fault_addr);
	return client_write(c, op->addr + 1, bytes + 1, DSA_CR_BYTES - 1) &&
	       client_write(c, op->addr, bytes, 1);
}

/* What the device has written: data before records, the descriptor's own record last. */
static inline bool mirror_write_back(const struct mirror *m, const struct client *c)
{
	bool ok = true;

	for (uint32_t i = 0; i < m->nr_operands; i++) {
		const struct operand *op = &m->operands[i];

		if (op->write && op->word != RECORD && op->good_bytes)
			ok &= client_write(c, op->addr, op->mirror, op->good_bytes);
	}
	for (uint32_t i = m->nr_operands; i-- > 0;) {
		const struct operand *op = &m->operands[i];

		if (op->word == RECORD && op->good_bytes)
			ok &= record_write_back(m, c, op);
	}
	return ok;
}

#endif
