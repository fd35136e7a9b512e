// SPDX-License-Identifier: GPL-2.0-only
/*
 * blockbar.c - test only: claims a memory range, so that the driver of the device
 * whose BAR it is can't probe.
 */
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/pci.h>

static ulong start;
module_param(start, ulong, 0444);
MODULE_PARM_DESC(start, "first address of the range");

static ulong size;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "octets");

static bool claimed;

static void blockbar_release(void)
{
	if (claimed)
		release_mem_region(start, size);
	claimed = false;
}

/* A range whose device goes must go before: it hangs below the device's own. */
static int blockbar_event(struct notifier_block *nb, unsigned long event,
			  void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	int bar;

	if (event != BUS_NOTIFY_DEL_DEVICE)
		return NOTIFY_DONE;
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (pci_resource_start(pdev, bar) == start)
			blockbar_release();
	return NOTIFY_OK;
}

static struct notifier_block blockbar_nb = { .notifier_call = blockbar_event };

static int __init blockbar_init(void)
{
	int err;

	if (!request_mem_region(start, size, "blockbar"))
		return -EBUSY;
	claimed = true;
	err = bus_register_notifier(&pci_bus_type, &blockbar_nb);
	if (err)
		blockbar_release();
	return err;
}

static void __exit blockbar_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &blockbar_nb);
	blockbar_release();
}

module_init(blockbar_init);
module_exit(blockbar_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Keeps a BAR from its driver");
