/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * family.h - the NIC families that may be taken, and how each one's DMA stops.
 *
 * A family is one small file beside this one, listed in family.c. Used at both
 * ends of a hold, never while frames flow.
 */
#ifndef NDDCORE_FAMILY_H
#define NDDCORE_FAMILY_H

#include <linux/pci.h>

/**
 * struct nddcore_family - NICs that one piece of code can stop
 * @name: as the library calls it
 * @ids: PCI ids; only what was tried
 * @bar: the BAR with the registers, the only one a process gets
 * @stop: stop every DMA engine and read back that it has stopped
 *
 * @stop is called with bus mastering off, in D0, with memory decoded, and may
 * sleep, but holds no lock of its own and must leave the PHY alone: the link stays
 * up over a hand-over. Guarantees on 0: no engine is on, the device answers, no
 * interrupt is enabled. -ENODEV: the device reads as all ones; -EIO: an engine is
 * still on.
 */
struct nddcore_family {
	const char *name;
	const struct pci_device_id *ids;
	int bar;
	int (*stop)(struct pci_dev *pdev, void __iomem *regs);
};

extern const struct nddcore_family nddcore_family_e1000;

const struct nddcore_family *nddcore_family_find(struct pci_dev *pdev);
int nddcore_quiesce(struct pci_dev *pdev);

#endif /* NDDCORE_FAMILY_H */
