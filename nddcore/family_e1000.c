// SPDX-License-Identifier: GPL-2.0-only
/*
 * family_e1000.c - how the DMA of an Intel 82574L is stopped.
 *
 * Sections are of the Intel 82574 GbE Controller Family datasheet, revision 3.4.
 * RFCTL.EXTEN, which the in-kernel driver sets, may survive the reset: whoever
 * sets the NIC up next programs RFCTL itself.
 */
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/iopoll.h>

#include "family.h"

/* Device control, 10.2.2.1 */
#define E1000_CTRL			0x00000
#define E1000_CTRL_MASTER_DISABLE	BIT(2)
#define E1000_CTRL_RST			BIT(26)
/* Device status, 10.2.2.2 */
#define E1000_STATUS			0x00008
#define E1000_STATUS_MASTER_ENABLED	BIT(19)
/* Interrupt cause read and mask clear, 10.2.4 */
#define E1000_ICR			0x000c0
#define E1000_IMC			0x000d8
#define E1000_IMC_ALL			0xffffffffU
/* Receive control, 10.2.5.1 */
#define E1000_RCTL			0x00100
#define E1000_RCTL_EN			BIT(1)
/* Transmit control, 10.2.6.1 */
#define E1000_TCTL			0x00400
#define E1000_TCTL_EN			BIT(1)
/* Extended configuration control: who may touch the MDIO while the MAC resets */
#define E1000_EXTCNF			0x00f00
#define E1000_EXTCNF_MDIO_SW		BIT(5)

#define E1000_GONE			0xffffffffU

/* The longest PCIe completion time-out of the device is 64 ms (3.1.3.2): a
 * request that is still out is done or given up then.
 */
#define E1000_MASTER_WAIT_US		80000
/* Firmware holds the MDIO for one access of some 64 us; generous. */
#define E1000_MDIO_WAIT_US		10000
/* The registers must not be touched for 1 us after RST is set (10.2.2.1). */
#define E1000_RST_HOLD_US		10
#define E1000_RST_WAIT_US		10000
#define E1000_POLL_US			50

static int e1000_stop(struct pci_dev *pdev, void __iomem *regs)
{
	u32 value;
	int err;

	if (readl(regs + E1000_STATUS) == E1000_GONE)
		return -ENODEV;

	writel(E1000_IMC_ALL, regs + E1000_IMC);
	writel(0, regs + E1000_RCTL);
	writel(readl(regs + E1000_TCTL) & ~E1000_TCTL_EN, regs + E1000_TCTL);

	/* No new request goes out, and those that are out come to an end. */
	value = readl(regs + E1000_CTRL);
	writel(value | E1000_CTRL_MASTER_DISABLE, regs + E1000_CTRL);
	err = readl_poll_timeout(regs + E1000_STATUS, value,
				 !(value & E1000_STATUS_MASTER_ENABLED),
				 E1000_POLL_US, E1000_MASTER_WAIT_US);
	if (value == E1000_GONE)
		return -ENODEV;
	/* With bus mastering off none can go out any more; the reset drops it. */
	if (err)
		pci_warn(pdev, "DMA requests don't end, STATUS %#x\n", value);

	/* A MAC reset in the middle of firmware's MDIO access would disturb the
	 * PHY. Without an answer the reset has to be risked.
	 */
	value = readl(regs + E1000_EXTCNF);
	writel(value | E1000_EXTCNF_MDIO_SW, regs + E1000_EXTCNF);
	if (readl_poll_timeout(regs + E1000_EXTCNF, value,
			       value & E1000_EXTCNF_MDIO_SW,
			       E1000_POLL_US, E1000_MDIO_WAIT_US))
		pci_warn(pdev, "firmware keeps the MDIO\n");

	/* RST resets the MAC and its rings, not the PHY (that is PHY_RST). */
	value = readl(regs + E1000_CTRL);
	writel(value | E1000_CTRL_RST, regs + E1000_CTRL);
	usleep_range(E1000_RST_HOLD_US, 2 * E1000_RST_HOLD_US);
	err = readl_poll_timeout(regs + E1000_CTRL, value,
				 !(value & E1000_CTRL_RST),
				 E1000_POLL_US, E1000_RST_WAIT_US);
	if (err || value == E1000_GONE) {
		pci_err(pdev, "reset doesn't end, CTRL %#x\n", value);
		return value == E1000_GONE ? -ENODEV : -EIO;
	}
	value = readl(regs + E1000_EXTCNF);
	writel(value & ~E1000_EXTCNF_MDIO_SW, regs + E1000_EXTCNF);

	writel(E1000_IMC_ALL, regs + E1000_IMC);
	readl(regs + E1000_ICR);	/* reading clears the causes */
	if (readl(regs + E1000_STATUS) == E1000_GONE)
		return -ENODEV;
	if (readl(regs + E1000_RCTL) & E1000_RCTL_EN ||
	    readl(regs + E1000_TCTL) & E1000_TCTL_EN) {
		pci_err(pdev, "DMA engines are on after a reset\n");
		return -EIO;
	}
	return 0;
}

static const struct pci_device_id e1000_ids[] = {
	{ PCI_VDEVICE(INTEL, 0x10d3) },		/* 82574L */
	{ }
};

const struct nddcore_family nddcore_family_e1000 = {
	.name = "e1000",
	.ids = e1000_ids,
	.bar = 0,
	.stop = e1000_stop,
};
