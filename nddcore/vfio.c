// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio.c - the VFIO PCI variant driver: the device's driver in tunnel mode.
 *
 * The process sees plain VFIO. What it may do is an allow-list: the register BAR,
 * interrupts, reading configuration space. Bus mastering, power, resets and the
 * IOMMU domain are the kernel's.
 *
 * At the end: DMA off and read back, pool and window unmapped, domain away, VFIO's
 * own clean-up, and only then kagent hears of it and queues the restore. Locks:
 * vfio_lock > dev_set->lock (VFIO holds the latter around open and close).
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sched/signal.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

#include "family.h"
#include "nddcore.h"

/**
 * struct nddcore_vfio - a device bound to nddcore
 * @core: must come first
 * @np: its port, held
 * @bar: the register BAR
 * @domain: the port's own, while open
 * @owner: thread group that opened the device, or has it since from the one that did
 * @last: thread group that opened it last, or tried to; under dev_set->lock
 * @open: between open_device and close_device; under dev_set->lock
 * @revoked: cut off: every call fails
 * @paused: VFIO's low power entry holds the BARs unmapped
 * @reset_methods: the device's own, which VFIO doesn't get to use
 * @no_bus_reset: PCI_DEV_FLAGS_NO_BUS_RESET is ours to clear
 */
struct nddcore_vfio {
	struct vfio_pci_core_device core;
	struct nddcore_port *np;
	int bar;
	struct iommu_domain *domain;
	struct pid *owner;
	struct pid *last;
	bool open;
	bool revoked;
	bool paused;
	u8 reset_methods[PCI_NUM_RESET_METHODS];
	bool no_bus_reset;
};

static struct nddcore_vfio *nddcore_vfio_of(struct vfio_device *core_vdev)
{
	return container_of(core_vdev, struct nddcore_vfio, core.vdev);
}

static int nddcore_vfio_init(struct vfio_device *core_vdev)
{
	int err = vfio_pci_core_init_dev(core_vdev);

	/* Each way to D3 and back costs the restore 50 ms. */
	nddcore_vfio_of(core_vdev)->core.disable_idle_d3 = true;
	return err;
}

/* Under dev_set->lock: the process does not have the device yet. */
static int nddcore_vfio_open(struct vfio_device *core_vdev)
{
	struct nddcore_vfio *nv = nddcore_vfio_of(core_vdev);
	struct pci_dev *pdev = nv->core.pdev;
	int err;

	put_pid(nv->last);
	nv->last = get_pid(task_tgid(current));
	/* On its way back there is nothing to open. */
	if (READ_ONCE(nv->np->releasing))
		return -EACCES;
	err = vfio_pci_core_enable(&nv->core);
	if (err)
		return err;
	err = nddcore_quiesce(pdev);
	if (err)
		goto err_disable;
	err = nddcore_domain_attach(&pdev->dev, &nv->domain);
	if (err) {
		pci_err(pdev, "has no IOMMU domain of its own: %d\n", err);
		goto err_disable;
	}
	err = kagent_device_opened(nv->np->port, nv->domain);
	if (err)
		goto err_detach;

	nv->owner = get_pid(task_tgid(current));
	nv->np->quiet = false;
	WRITE_ONCE(nv->revoked, false);
	nv->open = true;
	pci_set_master(pdev);
	vfio_pci_core_finish_enable(&nv->core);
	kagent_phase(nv->np->port, KAGENT_PHASE_TAKE_OPENED);
	return 0;

err_detach:
	nddcore_domain_detach(&pdev->dev, nv->domain);
err_disable:
	vfio_pci_core_disable(&nv->core);
	return err;
}

/* No more DMA, and nothing of the kernel's memory in reach. Under dev_set->lock. */
static void nddcore_vfio_silence(struct nddcore_vfio *nv)
{
	struct pci_dev *pdev = nv->core.pdev;
	int err = nddcore_quiesce(pdev);

	nv->np->quiet = !err;
	if (err)
		pci_err(pdev, "its DMA can't be stopped: %d\n", err);
	else
		kagent_phase(nv->np->port, KAGENT_PHASE_END_QUIESCED);
	kagent_device_unmap(nv->np->port, nv->domain);
}

/* Under dev_set->lock, by whoever dropped the last descriptor. No device_lock, no
 * rtnl, no waiting for work in here.
 */
static void nddcore_vfio_close(struct vfio_device *core_vdev)
{
	struct nddcore_vfio *nv = nddcore_vfio_of(core_vdev);
	struct kagent_port *port = nv->np->port;

	nddcore_vfio_silence(nv);
	nddcore_domain_detach(&nv->core.pdev->dev, nv->domain);
	vfio_pci_core_close_device(core_vdev);
	if (nv->paused)
		pm_runtime_put_noidle(&nv->core.pdev->dev);
	nv->paused = false;
	put_pid(nv->owner);
	nv->owner = NULL;
	nv->open = false;
	kagent_device_closed(port);
}

static bool nddcore_vfio_revoked(struct vfio_device *core_vdev)
{
	return READ_ONCE(nddcore_vfio_of(core_vdev)->revoked);
}

/* Only registers and configuration space have a size; a process must not flash the
 * device, nor reach registers around the BAR.
 */
static long nddcore_vfio_region_info(struct vfio_device *core_vdev,
				     unsigned long arg)
{
	struct vfio_region_info __user *user = (void __user *)arg;
	unsigned long minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info;
	long ret;

	if (copy_from_user(&info, user, minsz))
		return -EFAULT;
	if (info.argsz < minsz || info.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	if (info.index == nddcore_vfio_of(core_vdev)->bar)
		return vfio_pci_core_ioctl(core_vdev,
					   VFIO_DEVICE_GET_REGION_INFO, arg);
	if (info.index == VFIO_PCI_CONFIG_REGION_INDEX) {
		ret = vfio_pci_core_ioctl(core_vdev,
					  VFIO_DEVICE_GET_REGION_INFO, arg);
		return ret ?: put_user(VFIO_REGION_INFO_FLAG_READ,
				       &user->flags);
	}
	info.flags = 0;
	info.size = 0;
	info.cap_offset = 0;
	info.offset = 0;
	return copy_to_user(user, &info, minsz) ? -EFAULT : 0;
}

static long nddcore_vfio_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
			       unsigned long arg)
{
	if (nddcore_vfio_revoked(core_vdev))
		return -EIO;
	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
	case VFIO_DEVICE_GET_IRQ_INFO:
	case VFIO_DEVICE_SET_IRQS:
		return vfio_pci_core_ioctl(core_vdev, cmd, arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return nddcore_vfio_region_info(core_vdev, arg);
	default:	/* resets, ioeventfds, what later kernels may add */
		return -ENOTTY;
	}
}

static ssize_t nddcore_vfio_read(struct vfio_device *core_vdev,
				 char __user *buf, size_t count, loff_t *ppos)
{
	unsigned int index = VFIO_PCI_OFFSET_TO_INDEX(*ppos);

	if (nddcore_vfio_revoked(core_vdev))
		return -EIO;
	if (index != nddcore_vfio_of(core_vdev)->bar &&
	    index != VFIO_PCI_CONFIG_REGION_INDEX)
		return -EINVAL;
	return vfio_pci_core_read(core_vdev, buf, count, ppos);
}

static ssize_t nddcore_vfio_write(struct vfio_device *core_vdev,
				  const char __user *buf, size_t count,
				  loff_t *ppos)
{
	unsigned int index = VFIO_PCI_OFFSET_TO_INDEX(*ppos);

	if (nddcore_vfio_revoked(core_vdev))
		return -EIO;
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return -EPERM;
	if (index != nddcore_vfio_of(core_vdev)->bar)
		return -EINVAL;
	return vfio_pci_core_write(core_vdev, buf, count, ppos);
}

static int nddcore_vfio_mmap(struct vfio_device *core_vdev,
			     struct vm_area_struct *vma)
{
	unsigned int index = vma->vm_pgoff >>
			     (VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT);

	if (nddcore_vfio_revoked(core_vdev))
		return -EIO;
	if (index != nddcore_vfio_of(core_vdev)->bar)
		return -EINVAL;
	return vfio_pci_core_mmap(core_vdev, vma);
}

/* The driver core waits for the device: at once, then every ten seconds. While
 * restore() waits the port's own work can kill nobody, and before 6.5 a process that
 * opens the device again and again keeps it waiting: ten seconds are no accident.
 */
static void nddcore_vfio_request(struct vfio_device *core_vdev,
				 unsigned int count)
{
	struct nddcore_vfio *nv = nddcore_vfio_of(core_vdev);

	kagent_device_wanted(nv->np->port, NDD_REASON_ADMIN);
	if (!count || !READ_ONCE(nv->np->releasing))
		return;
	mutex_lock(&core_vdev->dev_set->lock);
	if (nv->last)
		kill_pid(nv->last, SIGKILL, 1);
	mutex_unlock(&core_vdev->dev_set->lock);
}

/* No .device_feature: power states and tokens are not the process's business. */
static const struct vfio_device_ops nddcore_vfio_ops = {
	.name		= "nddcore-vfio-pci",
	.init		= nddcore_vfio_init,
	.release	= vfio_pci_core_release_dev,
	.open_device	= nddcore_vfio_open,
	.close_device	= nddcore_vfio_close,
	.ioctl		= nddcore_vfio_ioctl,
	.read		= nddcore_vfio_read,
	.write		= nddcore_vfio_write,
	.mmap		= nddcore_vfio_mmap,
	.request	= nddcore_vfio_request,
	.match		= vfio_pci_core_match,
};

/* VFIO resets the device at open and close, by D3 or even through the bridge above
 * it, which takes a second and the link. nddcore_quiesce() is what resets here.
 */
static void nddcore_vfio_hide_resets(struct nddcore_vfio *nv,
				     struct pci_dev *pdev)
{
	memcpy(nv->reset_methods, pdev->reset_methods,
	       sizeof(nv->reset_methods));
	pdev->reset_methods[0] = 0;
	nv->no_bus_reset = !(pdev->dev_flags & PCI_DEV_FLAGS_NO_BUS_RESET);
	pdev->dev_flags |= PCI_DEV_FLAGS_NO_BUS_RESET;
}

static void nddcore_vfio_show_resets(struct nddcore_vfio *nv,
				     struct pci_dev *pdev)
{
	memcpy(pdev->reset_methods, nv->reset_methods,
	       sizeof(pdev->reset_methods));
	if (nv->no_bus_reset)
		pdev->dev_flags &= ~PCI_DEV_FLAGS_NO_BUS_RESET;
}

/* Only take() binds: a device that somebody else binds has no port to go back to. */
static struct nddcore_port *nddcore_vfio_port(struct pci_dev *pdev)
{
	struct kagent_port *port = kagent_port_find(pci_name(pdev));
	struct nddcore_port *np;

	if (!port)
		return NULL;
	np = nddcore_port_tryget(port);
	kagent_port_put(port);
	if (np && np->hold.pdev != pdev) {
		nddcore_port_put(np);
		np = NULL;
	}
	return np;
}

static void nddcore_vfio_set(struct nddcore_port *np, struct nddcore_vfio *nv)
{
	mutex_lock(&np->vfio_lock);
	np->vfio = nv;
	mutex_unlock(&np->vfio_lock);
}

static int nddcore_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct nddcore_family *family = nddcore_family_find(pdev);
	struct nddcore_port *np = nddcore_vfio_port(pdev);
	struct nddcore_vfio *nv;
	int err;

	if (!family || !np) {
		pci_err(pdev, "only a port that is being taken is bound to nddcore\n");
		err = -ENODEV;
		goto err_put_port;
	}
	nv = vfio_alloc_device(nddcore_vfio, core.vdev, &pdev->dev,
			       &nddcore_vfio_ops);
	if (IS_ERR(nv)) {
		err = PTR_ERR(nv);
		goto err_put_port;
	}
	nv->np = np;
	nv->bar = family->bar;
	dev_set_drvdata(&pdev->dev, nv);
	nddcore_vfio_hide_resets(nv, pdev);
	err = vfio_pci_core_register_device(&nv->core);
	if (err)
		goto err_show_resets;
	nddcore_vfio_set(np, nv);
	return 0;

err_show_resets:
	nddcore_vfio_show_resets(nv, pdev);
	vfio_put_device(&nv->core.vdev);
err_put_port:
	if (np)
		nddcore_port_put(np);
	return err;
}

static void nddcore_remove(struct pci_dev *pdev)
{
	struct nddcore_vfio *nv = dev_get_drvdata(&pdev->dev);
	struct nddcore_port *np = nv->np;

	/* Waits for the last descriptor, asking by .request. */
	vfio_pci_core_unregister_device(&nv->core);
	nddcore_vfio_set(np, NULL);
	put_pid(nv->last);
	nddcore_vfio_show_resets(nv, pdev);
	vfio_put_device(&nv->core.vdev);
	if (!READ_ONCE(np->releasing))
		kagent_device_wanted(np->port, NDD_REASON_ADMIN);
	nddcore_port_put(np);
}

static const struct pci_device_id nddcore_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) },
	{ }
};

/* Not for module loading: nothing is bound here but by take(). */
struct pci_driver nddcore_pci_driver = {
	.name			= NDDCORE_DRIVER_NAME,
	.id_table		= nddcore_ids,
	.probe			= nddcore_probe,
	.remove			= nddcore_remove,
	.err_handler		= &vfio_pci_core_err_handlers,
	.driver_managed_dma	= true,
};

/**
 * nddcore_vfio_has_file - is this VFIO group that of the port's device?
 * @np: port in the middle of take()
 * @file: opened from /dev/vfio
 *
 * Return: false, too, if the device isn't bound to nddcore any more.
 */
bool nddcore_vfio_has_file(struct nddcore_port *np, struct file *file)
{
	bool has;

	mutex_lock(&np->vfio_lock);
	has = np->vfio && vfio_file_has_dev(file, &np->vfio->core.vdev);
	mutex_unlock(&np->vfio_lock);
	return has;
}

/**
 * nddcore_vfio_is_open - does anybody have the port's device open?
 * @np: port
 *
 * Return: whether unbinding nddcore would have to wait for somebody.
 */
bool nddcore_vfio_is_open(struct nddcore_port *np)
{
	struct vfio_device_set *set;
	bool open = false;

	mutex_lock(&np->vfio_lock);
	if (np->vfio) {
		set = np->vfio->core.vdev.dev_set;
		mutex_lock(&set->lock);
		open = np->vfio->open;
		mutex_unlock(&set->lock);
	}
	mutex_unlock(&np->vfio_lock);
	return open;
}

/* BAR mappings gone, new ones fault. Under dev_set->lock. */
static void nddcore_vfio_pause(struct nddcore_vfio *nv)
{
	struct device *dev = &nv->core.pdev->dev;

	if (nv->paused)
		return;
	/* VFIO's low power entry unmaps; this reference keeps the device in D0. */
	pm_runtime_get_noresume(dev);
	if (vfio_pci_core_ioctl_feature(&nv->core.vdev,
					VFIO_DEVICE_FEATURE_SET |
					VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
					NULL, 0)) {
		pci_err(nv->core.pdev, "BAR mappings can't be revoked\n");
		pm_runtime_put_noidle(dev);
		return;
	}
	nv->paused = true;
}

/* The port's device with what guards it held, or NULL if it is not bound to nddcore.
 * With nddcore_vfio_unlock().
 */
static struct nddcore_vfio *nddcore_vfio_lock(struct kagent_port *port)
{
	struct nddcore_port *np = nddcore_port_tryget(port);

	if (!np)
		return NULL;
	mutex_lock(&np->vfio_lock);
	if (!np->vfio) {
		mutex_unlock(&np->vfio_lock);
		nddcore_port_put(np);
		return NULL;
	}
	mutex_lock(&np->vfio->core.vdev.dev_set->lock);
	return np->vfio;
}

static void nddcore_vfio_unlock(struct nddcore_vfio *nv)
{
	struct nddcore_port *np = nv->np;

	mutex_unlock(&nv->core.vdev.dev_set->lock);
	mutex_unlock(&np->vfio_lock);
	nddcore_port_put(np);
}

/**
 * nddcore_revoke - provider op: cut the holder off from the device
 * @port: kagent's port
 *
 * Process context, no locks held. Does nothing if nobody has it open.
 */
void nddcore_revoke(struct kagent_port *port)
{
	struct nddcore_vfio *nv = nddcore_vfio_lock(port);

	if (!nv)
		return;
	if (nv->open) {
		WRITE_ONCE(nv->revoked, true);
		nddcore_vfio_pause(nv);
		nddcore_vfio_silence(nv);
	}
	nddcore_vfio_unlock(nv);
}

/* Whoever has the device open, with a reference, or NULL. */
static struct pid *nddcore_owner(struct kagent_port *port)
{
	struct nddcore_vfio *nv = nddcore_vfio_lock(port);
	struct pid *pid;

	if (!nv)
		return NULL;
	pid = get_pid(nv->owner);
	nddcore_vfio_unlock(nv);
	return pid;
}

/**
 * nddcore_kill - provider op: end whoever has the device open
 * @port: kagent's port
 */
void nddcore_kill(struct kagent_port *port)
{
	struct pid *pid = nddcore_owner(port);

	if (pid)
		kill_pid(pid, SIGKILL, 1);
	put_pid(pid);
}

/**
 * nddcore_holder - provider op: who has the device open
 * @port: kagent's port
 *
 * Return: thread group id in the initial namespace, 0 if nobody.
 */
pid_t nddcore_holder(struct kagent_port *port)
{
	struct pid *pid = nddcore_owner(port);
	pid_t nr = pid_nr(pid);

	put_pid(pid);
	return nr;
}

/**
 * nddcore_passed - provider op: another process has the device from here on
 * @port: kagent's port
 * @pid: its thread group
 *
 * It has opened the device too: VFIO counts, and tells its driver of the first only.
 */
void nddcore_passed(struct kagent_port *port, struct pid *pid)
{
	struct nddcore_vfio *nv = nddcore_vfio_lock(port);

	if (!nv)
		return;
	if (nv->open) {
		put_pid(nv->owner);
		nv->owner = get_pid(pid);
	}
	nddcore_vfio_unlock(nv);
}
