/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * headers.h - may the payload of this frame stay where the process can write it?
 *
 * Pure: built in user space for tests too. Looks at a private copy of the start of
 * the frame only. Plain TCP and UDP may: nothing but their payload is left behind,
 * which the stack passes on and does not parse. Of all else, fragments above all,
 * the stack reads more.
 */
#ifndef KAGENT_HEADERS_H
#define KAGENT_HEADERS_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Octets of a frame that are copied and looked at. */
#define KAGENT_HEAD	128

enum kagent_kind {
	KAGENT_KIND_OTHER,
	KAGENT_KIND_TCP,
	KAGENT_KIND_UDP,
};

/**
 * struct kagent_headers - what was found
 * @kind: enum kagent_kind
 * @len: octets of L2 to L4 headers, all of them in what was looked at; 0: other
 */
struct kagent_headers {
	enum kagent_kind kind;
	__u32 len;
};

struct kagent_headers kagent_find_headers(const __u8 *head, __u32 len);

#ifdef __cplusplus
}
#endif

#endif /* KAGENT_HEADERS_H */
