// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - loading and unloading of nddcore, and the life of its ports.
 *
 * Unloading is refused by the module's own use count while a port is out of
 * direct mode; in direct mode it leaves ndd0 without a lower, and loading again
 * links them again.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "nddcore.h"

struct workqueue_struct *nddcore_wq;

/**
 * nddcore_port_of - nddcore's side of a port, for who holds rtnl or an RCU lock
 * @port: kagent's port
 *
 * Return: NULL if the port has never had a lower, or ndd0 is gone.
 */
struct nddcore_port *nddcore_port_of(struct kagent_port *port)
{
	return kagent_port_priv(port);
}

/**
 * nddcore_port_tryget - likewise, with a reference, for everybody else
 * @port: kagent's port
 *
 * Return: to be put by nddcore_port_put(), or NULL.
 */
struct nddcore_port *nddcore_port_tryget(struct kagent_port *port)
{
	struct nddcore_port *np;

	rcu_read_lock();
	np = kagent_port_priv(port);
	if (np && !kref_get_unless_zero(&np->ref))
		np = NULL;
	rcu_read_unlock();
	return np;
}

/**
 * nddcore_port_create - nddcore's side of a port that gets its first lower
 * @port: kagent's port; held as long as the result lives
 *
 * Under rtnl. Return: NULL if there is no memory.
 */
struct nddcore_port *nddcore_port_create(struct kagent_port *port)
{
	struct nddcore_port *np;

	ASSERT_RTNL();
	np = kzalloc(sizeof(*np), GFP_KERNEL);
	if (!np)
		return NULL;
	kref_init(&np->ref);
	mutex_init(&np->lock);
	mutex_init(&np->vfio_lock);
	INIT_LIST_HEAD(&np->entry);
	init_completion(&np->linked);
	INIT_WORK(&np->adopt, nddcore_adopt_work);
	INIT_WORK(&np->drop, nddcore_drop_work);
	np->quiet = true;
	kagent_port_get(port);
	np->port = port;
	kagent_port_set_priv(port, np);
	return np;
}

/**
 * nddcore_port_get - one more reference
 * @np: port that the caller has a reference to, or holds rtnl for
 */
void nddcore_port_get(struct nddcore_port *np)
{
	kref_get(&np->ref);
}

static void nddcore_port_release(struct kref *ref)
{
	struct nddcore_port *np = container_of(ref, struct nddcore_port, ref);

	nddcore_settings_drop(&np->settings);
	mutex_destroy(&np->vfio_lock);
	mutex_destroy(&np->lock);
	kagent_port_put(np->port);
	kfree_rcu(np, rcu);
}

/**
 * nddcore_port_put - drop a reference
 * @np: port
 */
void nddcore_port_put(struct nddcore_port *np)
{
	kref_put(&np->ref, nddcore_port_release);
}

/**
 * nddcore_queue - have one of a port's works run, with a reference to the port
 * @np: port that the caller has a reference to, or holds rtnl for
 * @work: its adopt or drop work
 */
void nddcore_queue(struct nddcore_port *np, struct work_struct *work)
{
	nddcore_port_get(np);
	if (!queue_work(nddcore_wq, work))
		nddcore_port_put(np);
}

static const struct kagent_provider_ops nddcore_ops = {
	.owner = THIS_MODULE,
	.attach = nddcore_attach,
	.detach = nddcore_detach,
	.open = nddcore_open,
	.stop = nddcore_stop,
	.set_mac = nddcore_set_mac,
	.change_mtu = nddcore_change_mtu,
	.change_rx_flags = nddcore_change_rx_flags,
	.vlan_add = nddcore_vlan_add,
	.vlan_del = nddcore_vlan_del,
	.get_link_ksettings = nddcore_get_link_ksettings,
	.xmit_direct = nddcore_xmit,
	.set_rx_mode = nddcore_set_rx_mode,
	.take_check = nddcore_take_check,
	.take = nddcore_take,
	.revoke = nddcore_revoke,
	.kill = nddcore_kill,
	.holder = nddcore_holder,
	.passed = nddcore_passed,
	.restore = nddcore_restore,
	.driver = nddcore_driver,
};

static int __init nddcore_init(void)
{
	int err;

	nddcore_wq = alloc_workqueue("nddcore", WQ_UNBOUND, 0);
	if (!nddcore_wq)
		return -ENOMEM;
	err = pci_register_driver(&nddcore_pci_driver);
	if (err)
		goto err_destroy_wq;
	err = kagent_provider_register(&nddcore_ops);
	if (err)
		goto err_unregister_driver;
	/* Shows every netdev there is: ports without a lower find theirs. */
	err = nddcore_notify_init();
	if (err)
		goto err_unregister_provider;
	return 0;

err_unregister_provider:
	kagent_provider_unregister(&nddcore_ops);
err_unregister_driver:
	pci_unregister_driver(&nddcore_pci_driver);
err_destroy_wq:
	destroy_workqueue(nddcore_wq);
	return err;
}

static void __exit nddcore_exit(void)
{
	/* No lower is linked any more from here on ... */
	nddcore_notify_exit();
	/* ... and here the linked ones are let go of. */
	kagent_provider_unregister(&nddcore_ops);
	pci_unregister_driver(&nddcore_pci_driver);
	destroy_workqueue(nddcore_wq);
	/* kfree_rcu() leaves no code of ours behind, and works are done. */
}

module_init(nddcore_init);
module_exit(nddcore_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Direct mode, hand-over and restore of ndd ports");
/* Type 1 registers itself with VFIO only when it is loaded. */
MODULE_SOFTDEP("pre: vfio_iommu_type1");
