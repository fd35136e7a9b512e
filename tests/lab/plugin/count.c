// SPDX-License-Identifier: Apache-2.0
/* QEMU TCG plugin: what the guest executes between the marks of mark.h, all CPUs together. At each MARK_STOP one JSON line
 * goes to out=FILE. Loaded by vm.py --count, which runs the guest with one CPU and virtual time, so that the counts repeat.
 *
 *  user, kernel       instructions, by half of the address space; a REP string instruction is one, as in hardware
 *  rep_iterations     its further iterations, each a block of its own in TCG
 *  locked, fences     of user's: with a LOCK prefix or XCHG to memory; LFENCE, SFENCE, MFENCE
 *  system_calls       SYSCALL instructions executed by user
 *  mmio_read/_write   accesses to device registers by user
 *  idle, idle_insns   MARK_IDLEs, and the instructions (contained in user and kernel) between two that follow each other
 *                     closely and without a MARK_BUSY, so with nothing but an empty poll between them
 *
 * With blocks=FILE, where user's instructions were, for by_symbol.py: per MARK_STOP a line "record", then
 * "ADDRESS INSTRUCTIONS TIMES" for each translation block that ran since MARK_START. An access to a device register ends the
 * run of a block: what follows it is entered, and counted, as a block of its own once more.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of qemu-plugin.h that is used here (Debian ships no copy), interface version 4: QEMU 9.2 and newer. */
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };
typedef void (*tb_trans_cb)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*udata_cb)(unsigned int vcpu, void *udata);
typedef void (*mem_cb)(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *udata);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_trans_cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, udata_cb, enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, udata_cb, enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, mem_cb, enum qemu_plugin_cb_flags,
				      enum qemu_plugin_mem_rw, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
__attribute__((visibility("default"))) int qemu_plugin_version = 4;

enum counter { USER, KERNEL, REP_ITERATIONS, LOCKED, FENCES, SYSTEM_CALLS, MMIO_READ, MMIO_WRITE, IDLE, IDLE_INSNS, COUNTERS };
static const char *const names[COUNTERS] = {
	"user", "kernel", "rep_iterations", "locked", "fences", "system_calls", "mmio_read", "mmio_write", "idle", "idle_insns",
};
/* Two MARK_IDLEs further apart than this had work between them: two sockets that have nothing take 1 500 instructions,
 * one interrupt with a frame more than twice that.
 */
enum { IDLE_MAX = 2500 };
enum mark { START = 1, STOP, MARK_IDLE_ROUND, MARK_BUSY_ROUND };

/* One vCPU (vm.py --count sees to it), so plain counters do. */
static uint64_t now[COUNTERS], begin[COUNTERS], idle_at; /* 0: the last round was not empty */
static FILE *out, *blocks_out;

/* A translation of user's code; kept for good, since QEMU does not tell when it drops one. */
static struct block {
	struct block *next;
	uint64_t address, instructions, times, times_at_start;
} *blocks;

/* udata of the callbacks: a number above, a small kind in the three lowest bits */
static void *pack(uint64_t number, unsigned int kind) { return (void *)(uintptr_t)(number << 3 | kind); }
static uint64_t number_of(void *udata) { return (uintptr_t)udata >> 3; }
static unsigned int kind_of(void *udata) { return (uintptr_t)udata & 7; }

static void on_block(unsigned int vcpu, void *udata)
{
	(void)vcpu;
	now[kind_of(udata)] += number_of(udata);
}

static void on_insn(unsigned int vcpu, void *udata)
{
	(void)vcpu;
	now[number_of(udata)]++;
}

static void on_memory(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *udata)
{
	struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, vaddr);

	(void)vcpu;
	(void)udata;
	if (where && qemu_plugin_hwaddr_is_io(where))
		now[qemu_plugin_mem_is_store(info) ? MMIO_WRITE : MMIO_READ]++;
}

static void on_block_of_user(unsigned int vcpu, void *udata)
{
	(void)vcpu;
	((struct block *)udata)->times++;
}

static void begin_blocks(void)
{
	for (struct block *b = blocks; b; b = b->next)
		b->times_at_start = b->times;
}

static void report_blocks(void)
{
	if (!blocks_out)
		return;
	fprintf(blocks_out, "record\n");
	for (struct block *b = blocks; b; b = b->next)
		if (b->times != b->times_at_start)
			fprintf(blocks_out, "%#" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->address, b->instructions,
				b->times - b->times_at_start);
	fflush(blocks_out);
}

static void keep_block(struct qemu_plugin_tb *tb, size_t instructions)
{
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->next = blocks;
	b->address = qemu_plugin_tb_vaddr(tb);
	b->instructions = instructions;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block_of_user, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void report(void)
{
	for (int i = 0; i < COUNTERS; i++)
		fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "{", names[i], now[i] - begin[i]);
	fprintf(out, "}\n");
	fflush(out);
}

/* A block is counted whole when it is entered; number_of(udata) of its instructions come after the mark. */
static void on_mark(unsigned int vcpu, void *udata)
{
	uint64_t after = number_of(udata), total;

	(void)vcpu;
	switch (kind_of(udata)) {
	case START:
		memcpy(begin, now, sizeof(begin));
		begin[USER] -= after;
		begin_blocks();
		break;
	case STOP:
		now[USER] -= after + 1; /* the mark itself is not the program's */
		report();
		report_blocks();
		now[USER] += after + 1;
		break;
	case MARK_IDLE_ROUND:
		total = now[USER] + now[KERNEL] - after;
		if (idle_at && total - idle_at < IDLE_MAX)
			now[IDLE_INSNS] += total - idle_at;
		idle_at = total;
		now[IDLE]++;
		break;
	case MARK_BUSY_ROUND:
		idle_at = 0; /* a round too short for IDLE_MAX to tell */
		break;
	}
}

/* The opcode after the legacy and REX prefixes; *lock tells whether LOCK was among them. */
static const uint8_t *opcode(const uint8_t *code, size_t size, bool *lock)
{
	const uint8_t *p = code;

	for (*lock = false; p < code + size - 1; p++) {
		if (*p == 0xf0)
			*lock = true;
		else if (*p != 0x66 && *p != 0x67 && *p != 0xf2 && *p != 0xf3 && (*p & 0xf0) != 0x40)
			break;
	}
	return p;
}

/* REP and a string or port instruction? */
static bool is_rep(const uint8_t *code, size_t size)
{
	bool lock;
	const uint8_t *op = opcode(code, size, &lock);
	bool rep = memchr(code, 0xf2, op - code) || memchr(code, 0xf3, op - code);

	return rep && op == code + size - 1 &&
	       ((*op >= 0xa4 && *op <= 0xa7) || (*op >= 0xaa && *op <= 0xaf) || (*op >= 0x6c && *op <= 0x6f));
}

/* The counter that an instruction of user's adds to besides, or -1. */
static int special(const uint8_t *code, size_t size)
{
	bool lock;
	const uint8_t *op = opcode(code, size, &lock);
	size_t left = size - (size_t)(op - code);

	if (lock || ((op[0] == 0x86 || op[0] == 0x87) && left > 1 && op[1] < 0xc0))
		return LOCKED;
	if (left >= 2 && op[0] == 0x0f && op[1] == 0x05)
		return SYSTEM_CALLS;
	if (left >= 3 && op[0] == 0x0f && op[1] == 0xae && op[2] >= 0xe8)
		return FENCES;
	return -1;
}

static int mark_of(const uint8_t *code, size_t size)
{
	static const uint8_t head[4] = { 0x0f, 0x1f, 0x84, 0x00 }, tail[3] = { 0x00, 0xed, 0x5e };

	if (size != 8 || memcmp(code, head, sizeof(head)) || memcmp(code + 5, tail, sizeof(tail)))
		return 0;
	return code[4] >= START && code[4] <= MARK_BUSY_ROUND ? code[4] : 0;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	bool kernel = qemu_plugin_tb_vaddr(tb) >> 63;
	enum counter counter = kernel ? KERNEL : USER;
	uint8_t first[16];

	(void)id;
	/* the first iteration belongs to the block that leads to it */
	if (n == 1 && is_rep(first, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, 0), first, sizeof(first))))
		counter = REP_ITERATIONS;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, pack(n, counter));
	if (blocks_out && counter == USER)
		keep_block(tb, n);
	for (size_t i = 0; i < n && !kernel; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint8_t code[16];
		size_t size = qemu_plugin_insn_data(insn, code, sizeof(code));
		int mark = mark_of(code, size), also = special(code, size);

		if (mark)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS,
							       pack(n - 1 - i, mark));
		if (also >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, QEMU_PLUGIN_CB_NO_REGS, pack(also, 0));
		qemu_plugin_register_vcpu_mem_cb(insn, on_memory, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
	}
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
							      char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		if (!strncmp(argv[i], "blocks=", 7) && !(blocks_out = fopen(argv[i] + 7, "w")))
			return -1;
	}
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
