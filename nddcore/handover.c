// SPDX-License-Identifier: GPL-2.0-only
/*
 * handover.c - the way to the process: the in-kernel driver goes, nddcore's VFIO
 * driver comes, and the files that make up VFIO are opened for the process.
 *
 * Opened here, by a kernel worker, so that the process needs no permission on
 * /dev/vfio/N, which is born 0600 root at every take. The lock order is device_lock
 * before rtnl, so rtnl is never held over a change of driver.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "compat.h"
#include "nddcore.h"

#define NDDCORE_CONTAINER_PATH	"/dev/vfio/vfio"

/**
 * nddcore_find_pdev - a PCI device by its name
 * @name: "0000:00:03.0"
 *
 * Return: the device with a reference, NULL if there is none now.
 */
struct pci_dev *nddcore_find_pdev(const char *name)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, name);

	return dev ? to_pci_dev(dev) : NULL;
}

/**
 * nddcore_driver - provider op: name of the driver bound now
 * @port: kagent's port
 * @buf: gets the name, empty if there is none
 * @size: of @buf
 */
void nddcore_driver(struct kagent_port *port, char *buf, size_t size)
{
	struct pci_dev *pdev = nddcore_find_pdev(kagent_port_name(port));
	struct device_driver *drv;

	buf[0] = '\0';
	if (!pdev)
		return;
	/* No device_lock: it is held while a driver waits for its users to go. A
	 * driver's name is read as dev_driver_string() does it.
	 */
	drv = READ_ONCE(pdev->dev.driver);
	if (drv)
		strscpy(buf, dev_driver_string(&pdev->dev), size);
	pci_dev_put(pdev);
}

struct nddcore_opening {
	struct work_struct work;
	const char *path;
	struct file *file;
};

static void nddcore_open_work(struct work_struct *work)
{
	struct nddcore_opening *o = container_of(work, struct nddcore_opening,
						 work);

	o->file = filp_open(o->path, O_RDWR, 0);
}

/* With the kernel's credentials, in the kernel's view of the file system. */
static struct file *nddcore_open_file(const char *path)
{
	struct nddcore_opening o = { .path = path };

	INIT_WORK_ONSTACK(&o.work, nddcore_open_work);
	queue_work(nddcore_wq, &o.work);
	flush_work(&o.work);
	destroy_work_on_stack(&o.work);
	return o.file;
}

static struct file *nddcore_open_group(struct nddcore_port *np,
				       struct kagent_msg *msg)
{
	struct iommu_group *group = iommu_group_get(&np->hold.pdev->dev);
	struct file *file;
	char path[32];

	if (!group) {
		kagent_msg_set(msg, "%s has lost its VFIO device",
			       kagent_port_name(np->port));
		return ERR_PTR(-ENODEV);
	}
	snprintf(path, sizeof(path), "/dev/vfio/%d", iommu_group_id(group));
	iommu_group_put(group);
	file = nddcore_open_file(path);
	if (IS_ERR(file)) {
		kagent_msg_set(msg, "%s of %s can't be opened: error %ld",
			       path, kagent_port_name(np->port),
			       PTR_ERR(file));
		return file;
	}
	/* Whatever a path may lead to: only the port's own device is handed out. */
	if (!nddcore_vfio_has_file(np, file)) {
		kagent_msg_set(msg, "%s is not the VFIO group of %s", path,
			       kagent_port_name(np->port));
		fput(file);
		return ERR_PTR(-EXDEV);
	}
	return file;
}

static int nddcore_open_files(struct nddcore_port *np, struct kagent_take *take,
			      struct kagent_msg *msg)
{
	struct file *group, *container;
	int err;

	group = nddcore_open_group(np, msg);
	if (IS_ERR(group))
		return PTR_ERR(group);
	container = nddcore_open_file(NDDCORE_CONTAINER_PATH);
	if (IS_ERR(container)) {
		err = PTR_ERR(container);
		kagent_msg_set(msg,
			       "%s can't be opened: error %d, is the module vfio loaded?",
			       NDDCORE_CONTAINER_PATH, err);
		fput(group);
		return err;
	}
	take->group = group;
	take->container = container;
	return 0;
}

/* Note who has the device now, and see to it that the driver's module stays. */
static int nddcore_hold_driver(struct nddcore_hold *hold,
			       struct kagent_msg *msg)
{
	struct pci_dev *pdev = hold->pdev;
	struct device_driver *drv;
	int err = 0;

	hold->override = nddcore_get_override(pdev);
	device_lock(&pdev->dev);
	drv = pdev->dev.driver;
	if (!drv || drv == &nddcore_pci_driver.driver ||
	    !try_module_get(drv->owner)) {
		kagent_msg_set(msg,
			       "%s has no in-kernel driver to come back to",
			       pci_name(pdev));
		err = -ENODEV;
	} else {
		hold->owner = drv->owner;
		hold->driver = kstrdup(drv->name, GFP_KERNEL);
		if (!hold->driver)
			err = -ENOMEM;
	}
	device_unlock(&pdev->dev);
	return err;
}

/* Under rtnl and no hand-over going on: the port now counts as held. */
static int nddcore_hold_begin(struct nddcore_port *np, struct kagent_msg *msg)
{
	struct net_device *lower = rtnl_dereference(np->lower);
	int err;

	if (!lower || np->detached) {
		kagent_msg_set(msg, "%s has no lower any more",
			       kagent_port_name(np->port));
		return -ENODEV;
	}
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	err = nddcore_held(np, true);
	if (err) {
		kagent_msg_set(msg,
			       "%s can't be taken now, the system is about to sleep",
			       kagent_port_name(np->port));
		module_put(THIS_MODULE);
		return err;
	}
	nddcore_port_get(np);
	np->hold.pdev = pci_dev_get(nddcore_lower_pdev(lower));
	np->hold.taken = true;
	nddcore_settings_record(&np->settings, lower);
	return 0;
}

/**
 * nddcore_hold_drop - the port is back, or lost to somebody else
 * @np: port, locked; the caller has a reference of its own
 *
 * Does nothing if the port wasn't held. ndd0 may have gone meanwhile: then this
 * ends nddcore's side of the port.
 */
void nddcore_hold_drop(struct nddcore_port *np)
{
	struct nddcore_hold hold;

	rtnl_lock();
	hold = np->hold;
	memset(&np->hold, 0, sizeof(np->hold));
	if (hold.taken && np->detached)
		nddcore_port_forget(np);
	rtnl_unlock();
	if (!hold.taken)
		return;
	nddcore_held(np, false);
	pci_dev_put(hold.pdev);
	module_put(hold.owner);
	kfree(hold.driver);
	kfree(hold.override);
	nddcore_port_put(np);
	module_put(THIS_MODULE);
}

/**
 * nddcore_drop_work - the device has been removed: there is nothing to come back to
 * @work: of the port, which it holds a reference to
 */
void nddcore_drop_work(struct work_struct *work)
{
	struct nddcore_port *np = container_of(work, struct nddcore_port, drop);

	mutex_lock(&np->lock);
	/* Whoever removes the device still has this lock. */
	pci_lock_rescan_remove();
	if (np->hold.pdev && !device_is_registered(&np->hold.pdev->dev))
		nddcore_hold_drop(np);
	pci_unlock_rescan_remove();
	mutex_unlock(&np->lock);
	nddcore_port_put(np);
}

/* device_driver_attach() finds the driver's match by the override alone. */
static int nddcore_swap_driver(struct nddcore_port *np, struct kagent_msg *msg)
{
	struct pci_dev *pdev = np->hold.pdev;
	int err;

	/* Against removal and rescan; device_lock comes below it. */
	pci_lock_rescan_remove();
	if (!device_is_registered(&pdev->dev)) {
		kagent_msg_set(msg, "%s has been removed", pci_name(pdev));
		err = -ENODEV;
		goto out;
	}
	device_release_driver(&pdev->dev);
	kagent_phase(np->port, KAGENT_PHASE_TAKE_RELEASED);
	err = nddcore_set_override(pdev, NDDCORE_DRIVER_NAME);
	if (!err)
		err = device_driver_attach(&nddcore_pci_driver.driver,
					   &pdev->dev);
	if (err)
		kagent_msg_set(msg,
			       "%s can't be bound to nddcore after %s let go of it: error %d",
			       pci_name(pdev), np->hold.driver, err);
	else
		kagent_phase(np->port, KAGENT_PHASE_TAKE_ATTACHED);
out:
	pci_unlock_rescan_remove();
	return err;
}

/**
 * nddcore_take - provider op: hand the device to a process
 * @port: kagent's port
 * @take: gets the VFIO files
 * @msg: gets the reason of a failure
 *
 * Process context, no locks held. Return: 0, or an error and restore() is needed.
 */
int nddcore_take(struct kagent_port *port, struct kagent_take *take,
		 struct kagent_msg *msg)
{
	struct nddcore_port *np = nddcore_port_tryget(port);
	int err = -ENODEV;

	if (!np) {
		kagent_msg_set(msg, "%s has no lower", kagent_port_name(port));
		return err;
	}
	mutex_lock(&np->lock);
	rtnl_lock();
	if (!np->hold.taken)
		err = nddcore_hold_begin(np, msg);
	rtnl_unlock();
	if (err)
		goto out;
	err = nddcore_hold_driver(&np->hold, msg);
	if (err)
		goto out;
	err = nddcore_swap_driver(np, msg);
	if (err)
		goto out;
	err = nddcore_open_files(np, take, msg);
out:
	mutex_unlock(&np->lock);
	nddcore_port_put(np);
	return err;
}
