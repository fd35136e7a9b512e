// SPDX-License-Identifier: GPL-2.0-only
/*
 * blockbar.c - test only: claims a memory range, so that the driver of the device
 * whose BAR it is can't probe.
 */
#include <linux/ioport.h>
#include <linux/module.h>

static ulong start;
module_param(start, ulong, 0444);
MODULE_PARM_DESC(start, "first address of the range");

static ulong size;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "octets");

static int __init blockbar_init(void)
{
	return request_mem_region(start, size, "blockbar") ? 0 : -EBUSY;
}

static void __exit blockbar_exit(void)
{
	release_mem_region(start, size);
}

module_init(blockbar_init);
module_exit(blockbar_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Keeps a BAR from its driver");
