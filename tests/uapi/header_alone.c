/* SPDX-License-Identifier: Apache-2.0 */
/* ndd.h compiles by itself, as strict C. */
#include <linux/ndd.h>

_Static_assert(sizeof(struct ndd_desc) == 32, "two descriptors a cache line");

int main(void) { return 0; }
