// SPDX-License-Identifier: GPL-2.0-only
/*
 * take_check.c - could this port be handed to a process now, and if not, why not?
 *
 * Asked before anything is unbound: what fails here has changed nothing. Each
 * refusal says what stands in the way and what to do about it.
 */
#include <linux/iommu.h>
#include <linux/rtnetlink.h>
#include <net/pkt_sched.h>
#include <net/sch_generic.h>

#include "compat.h"
#include "family.h"
#include "nddcore.h"

/* Names of devices for a message; the rest is counted. */
struct nddcore_names {
	char text[128];
	size_t len;
};

static void nddcore_names_add(struct nddcore_names *names, const char *dev,
			      const char *driver)
{
	names->len += scnprintf(names->text + names->len,
				sizeof(names->text) - names->len,
				"%s%s (%s)", names->len ? ", " : "", dev,
				driver);
}

struct nddcore_group {
	struct device *own;
	struct nddcore_names others;
};

/* A bridge translates nothing and is nobody's to give away. */
static int nddcore_group_member(struct device *dev, void *data)
{
	struct nddcore_group *group = data;
	const char *driver = dev_driver_string(dev);

	if (dev == group->own)
		return 0;
	if (dev_is_pci(dev) &&
	    to_pci_dev(dev)->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return 0;
	nddcore_names_add(&group->others, dev_name(dev),
			  driver[0] ? driver : "no driver");
	return 0;
}

static int nddcore_check_iommu(struct pci_dev *pdev, struct kagent_msg *msg)
{
	struct nddcore_group members = { .own = &pdev->dev };
	struct iommu_group *group = iommu_group_get(&pdev->dev);
	int err = -EOPNOTSUPP;

	if (!group) {
		kagent_msg_set(msg,
			       "%s is behind no IOMMU: enable it in the firmware and boot with intel_iommu=on (AMD: amd_iommu=on)",
			       pci_name(pdev));
		return err;
	}
	if (!device_iommu_capable(&pdev->dev, IOMMU_CAP_CACHE_COHERENCY)) {
		kagent_msg_set(msg,
			       "%s: its IOMMU can't keep DMA coherent, VFIO would refuse it",
			       pci_name(pdev));
		goto out;
	}
	if (!nddcore_isolated_msi(&pdev->dev, group)) {
		kagent_msg_set(msg,
			       "%s: interrupts aren't isolated, a process could forge them: enable interrupt remapping in the firmware, and boot without intremap=off",
			       pci_name(pdev));
		goto out;
	}
	iommu_group_for_each_dev(group, &members, nddcore_group_member);
	err = 0;
	if (members.others.len) {
		kagent_msg_set(msg,
			       "IOMMU group %d of %s is not viable, it also has %s: put the NIC into another slot",
			       iommu_group_id(group), pci_name(pdev),
			       members.others.text);
		err = -EADDRINUSE;
	}
out:
	iommu_group_put(group);
	return err;
}

/* A root qdisc that nobody chose has no handle; an ingress or clsact one has. */
static bool nddcore_has_tc(struct net_device *lower)
{
	struct netdev_queue *ingress = dev_ingress_queue(lower);

	if (rtnl_dereference(lower->qdisc)->handle)
		return true;
	return ingress &&
	       rtnl_dereference(ingress->qdisc_sleeping) != &noop_qdisc;
}

static struct net_device *nddcore_other_upper(struct net_device *lower,
					      struct net_device *own)
{
	struct net_device *upper, *found = NULL;
	struct list_head *iter;

	rcu_read_lock();
	netdev_for_each_upper_dev_rcu(lower, upper, iter)
		if (upper != own)
			found = upper;
	rcu_read_unlock();
	return found;	/* rtnl keeps it */
}

static int nddcore_check_lower(struct net_device *lower, struct pci_dev *pdev,
			       struct net_device *own, struct kagent_msg *msg)
{
	struct net_device *upper;

	if (!(lower->flags & IFF_UP)) {
		kagent_msg_set(msg, "%s is down: bring %s up first",
			       lower->name, netif_running(own) ? lower->name :
								 own->name);
		return -ENETDOWN;
	}
	upper = nddcore_other_upper(lower, own);
	if (upper) {
		kagent_msg_set(msg,
			       "%s carries %s, which would lose it: create that on %s instead",
			       lower->name, upper->name, own->name);
		return -EADDRINUSE;
	}
	if (dev_xdp_prog_count(lower)) {
		kagent_msg_set(msg,
			       "%s runs an XDP program: remove it (ip link set %s xdp off)",
			       lower->name, lower->name);
		return -EADDRINUSE;
	}
	if (nddcore_has_tc(lower)) {
		kagent_msg_set(msg,
			       "%s has a traffic control set-up, which would be lost: move it to %s (tc qdisc del dev %s ...)",
			       lower->name, own->name, lower->name);
		return -EADDRINUSE;
	}
	if (pci_num_vf(pdev)) {
		kagent_msg_set(msg,
			       "%s has %d virtual functions in use: remove them (sriov_numvfs)",
			       lower->name, pci_num_vf(pdev));
		return -EADDRINUSE;
	}
	return 0;
}

static int nddcore_check(struct nddcore_port *np, struct kagent_msg *msg)
{
	struct net_device *own = kagent_port_netdev(np->port);
	struct net_device *lower = rtnl_dereference(np->lower);
	struct pci_dev *pdev;

	if (!lower || !own) {
		kagent_msg_set(msg,
			       "%s: the in-kernel driver's netdev is not there",
			       kagent_port_name(np->port));
		return -ENODEV;
	}
	pdev = nddcore_lower_pdev(lower);
	if (!nddcore_family_find(pdev)) {
		kagent_msg_set(msg,
			       "%s (%s, %04x:%04x) belongs to no NIC family that can be taken",
			       pci_name(pdev), dev_driver_string(&pdev->dev),
			       pdev->vendor, pdev->device);
		return -EOPNOTSUPP;
	}
	return nddcore_check_iommu(pdev, msg) ?:
	       nddcore_check_lower(lower, pdev, own, msg);
}

/**
 * nddcore_take_check - provider op: could take() work now?
 * @port: kagent's port
 * @msg: gets the reason if not
 *
 * Return: 0 or the error that NDD_TAKE answers; nothing has changed.
 */
int nddcore_take_check(struct kagent_port *port, struct kagent_msg *msg)
{
	struct nddcore_port *np = nddcore_port_tryget(port);
	int err;

	if (!np) {
		kagent_msg_set(msg, "%s has no lower", kagent_port_name(port));
		return -ENODEV;
	}
	rtnl_lock();
	err = nddcore_check(np, msg);
	rtnl_unlock();
	nddcore_port_put(np);
	return err;
}
