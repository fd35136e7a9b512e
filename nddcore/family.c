// SPDX-License-Identifier: GPL-2.0-only
/*
 * family.c - which NICs may be taken, and the way to silence one of them.
 *
 * Runs when a process opens the device, when it is cut off, when the last holder
 * is gone, and before the in-kernel driver comes back.
 */
#include "family.h"

static const struct nddcore_family *const nddcore_families[] = {
	&nddcore_family_e1000,
};

/**
 * nddcore_family_find - the family of a device
 * @pdev: any PCI device
 *
 * Return: the family, or NULL if the device can't be taken.
 */
const struct nddcore_family *nddcore_family_find(struct pci_dev *pdev)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nddcore_families); i++)
		if (pci_match_id(nddcore_families[i]->ids, pdev))
			return nddcore_families[i];
	return NULL;
}

/* Function level reset where the device has one: it needs neither device_lock nor
 * the link of a bridge, unlike the kernel's other resets. Configuration is put
 * back, with bus mastering off as it was.
 */
static int nddcore_flr(struct pci_dev *pdev)
{
	int err;

	if (pcie_reset_flr(pdev, PCI_RESET_PROBE))
		return 0;
	pci_save_state(pdev);
	err = pcie_reset_flr(pdev, PCI_RESET_DO_RESET);
	pci_restore_state(pdev);
	return err;
}

/**
 * nddcore_quiesce - make sure that a device does no DMA, whatever was armed
 * @pdev: device that nobody drives, or whose driver calls this
 *
 * The in-kernel drivers turn bus mastering on before they reset the device; under
 * an identity-mapped IOMMU what a process left armed would then be live. So this
 * goes before them: mastering off, full power, memory decoded, reset, the family's
 * own stop with read-back, through a mapping that no process has touched.
 *
 * May sleep; takes no lock. Return: 0, or an error and the device must not be
 * given to anybody who turns bus mastering on.
 */
int nddcore_quiesce(struct pci_dev *pdev)
{
	const struct nddcore_family *family = nddcore_family_find(pdev);
	void __iomem *regs;
	u16 command;
	int err;

	if (!family)
		return -EOPNOTSUPP;
	pci_clear_master(pdev);
	err = pci_set_power_state(pdev, PCI_D0);
	if (err)
		return err;
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (PCI_POSSIBLE_ERROR(command))
		return -ENODEV;
	if (!(command & PCI_COMMAND_MEMORY))
		pci_write_config_word(pdev, PCI_COMMAND,
				      command | PCI_COMMAND_MEMORY);
	err = nddcore_flr(pdev);
	if (err)
		return err;
	regs = pci_ioremap_bar(pdev, family->bar);
	if (!regs)
		return -ENOMEM;
	err = family->stop(pdev, regs);
	iounmap(regs);
	return err;
}
