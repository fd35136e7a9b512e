// SPDX-License-Identifier: GPL-2.0-only
/*
 * port.c - the list of ports, their references, and the provider behind them.
 *
 * Off the data path: says which port a name means and who provides its device.
 */
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "kagent.h"

static LIST_HEAD(kagent_ports);
static DEFINE_MUTEX(kagent_ports_lock);
static DEFINE_IDA(kagent_minors);
static DECLARE_WAIT_QUEUE_HEAD(kagent_ports_gone);
atomic_t kagent_live_ports = ATOMIC_INIT(0);

/* under rtnl */
static const struct kagent_provider_ops *provider;

struct workqueue_struct *kagent_wq;

/**
 * kagent_msg_set() - leave the sentence a failing take is explained by
 * @msg: message, may be NULL
 * @fmt: format
 */
void kagent_msg_set(struct kagent_msg *msg, const char *fmt, ...)
{
	va_list args;

	if (!msg)
		return;
	va_start(args, fmt);
	vscnprintf(msg->text, sizeof(msg->text), fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_GPL(kagent_msg_set);

/**
 * kagent_port_create() - make the port of a device; under rtnl
 * @name: of the lower's parent device
 *
 * Return: port with one reference, or -EEXIST if there is one, -ENOMEM, -ENOSPC
 */
struct kagent_port *kagent_port_create(const char *name)
{
	struct kagent_port *port, *other;
	int minor;

	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return ERR_PTR(-ENOMEM);
	if (strscpy(port->name, name, sizeof(port->name)) < 0) {
		kfree(port);
		return ERR_PTR(-ENAMETOOLONG);
	}
	minor = ida_alloc_max(&kagent_minors, MINORMASK, GFP_KERNEL);
	if (minor < 0) {
		kfree(port);
		return ERR_PTR(minor);
	}
	port->minor = minor;
	kref_init(&port->ref);
	spin_lock_init(&port->lock);
	mutex_init(&port->handover);
	mutex_init(&port->announce);
	INIT_DELAYED_WORK(&port->work, kagent_port_work);
	INIT_DELAYED_WORK(&port->hold, kagent_link_expire);
	rcu_assign_pointer(port->ops, provider);

	mutex_lock(&kagent_ports_lock);
	list_for_each_entry(other, &kagent_ports, list) {
		if (!strcmp(other->name, name)) {
			mutex_unlock(&kagent_ports_lock);
			ida_free(&kagent_minors, minor);
			kfree(port);
			return ERR_PTR(-EEXIST);
		}
	}
	list_add_tail(&port->list, &kagent_ports);
	atomic_inc(&kagent_live_ports);
	mutex_unlock(&kagent_ports_lock);
	return port;
}

/**
 * kagent_port_unlist() - nobody finds the port any more
 * @port: port; may be called twice
 */
void kagent_port_unlist(struct kagent_port *port)
{
	mutex_lock(&kagent_ports_lock);
	list_del_init(&port->list);
	/* a provider that goes finds only ports on the list */
	RCU_INIT_POINTER(port->ops, NULL);
	mutex_unlock(&kagent_ports_lock);
}

static void kagent_port_free(struct kref *ref)
{
	struct kagent_port *port = container_of(ref, struct kagent_port, ref);

	kagent_port_unlist(port);
	ida_free(&kagent_minors, port->minor);
	kfree(port);
	if (atomic_dec_and_test(&kagent_live_ports))
		wake_up_all(&kagent_ports_gone);
}

/**
 * kagent_port_get() - one more reference
 * @port: port
 */
void kagent_port_get(struct kagent_port *port)
{
	kref_get(&port->ref);
}
EXPORT_SYMBOL_GPL(kagent_port_get);

/**
 * kagent_port_put() - one reference less; may sleep
 * @port: port
 */
void kagent_port_put(struct kagent_port *port)
{
	kref_put(&port->ref, kagent_port_free);
}
EXPORT_SYMBOL_GPL(kagent_port_put);

/**
 * kagent_port_find() - port by name
 * @name: of the lower's parent device
 *
 * Return: port with a reference, or NULL
 */
struct kagent_port *kagent_port_find(const char *name)
{
	struct kagent_port *port, *found = NULL;

	mutex_lock(&kagent_ports_lock);
	list_for_each_entry(port, &kagent_ports, list) {
		if (!strcmp(port->name, name) &&
		    kref_get_unless_zero(&port->ref)) {
			found = port;
			break;
		}
	}
	mutex_unlock(&kagent_ports_lock);
	return found;
}
EXPORT_SYMBOL_GPL(kagent_port_find);

/**
 * kagent_port_by_minor() - port by its character device
 * @minor: minor number
 *
 * Return: port with a reference, or NULL
 */
struct kagent_port *kagent_port_by_minor(u32 minor)
{
	struct kagent_port *port, *found = NULL;

	mutex_lock(&kagent_ports_lock);
	list_for_each_entry(port, &kagent_ports, list) {
		if (port->minor == minor && kref_get_unless_zero(&port->ref)) {
			found = port;
			break;
		}
	}
	mutex_unlock(&kagent_ports_lock);
	return found;
}

/**
 * kagent_port_next() - walk the list, port by port
 * @prev: the last one, whose reference is dropped; NULL: begin
 *
 * Ports that come or go meanwhile may be missed; minors order the walk.
 *
 * Return: port with a reference, or NULL at the end
 */
struct kagent_port *kagent_port_next(struct kagent_port *prev)
{
	struct kagent_port *port, *found = NULL;

	mutex_lock(&kagent_ports_lock);
	list_for_each_entry(port, &kagent_ports, list) {
		if (prev && port->minor <= prev->minor)
			continue;
		if (found && found->minor < port->minor)
			continue;
		found = port;
	}
	if (found && !kref_get_unless_zero(&found->ref))
		found = NULL;
	mutex_unlock(&kagent_ports_lock);
	if (prev)
		kagent_port_put(prev);
	return found;
}

/**
 * kagent_port_name() - name of the port's device
 * @port: port
 *
 * Return: the name, as long as the port
 */
const char *kagent_port_name(const struct kagent_port *port)
{
	return port->name;
}
EXPORT_SYMBOL_GPL(kagent_port_name);

/**
 * kagent_port_netdev() - the port's ndd0
 * @port: port
 *
 * Under rtnl or in RCU or softirq context.
 *
 * Return: netdev, or NULL once it is being deleted
 */
struct net_device *kagent_port_netdev(const struct kagent_port *port)
{
	return rcu_dereference_check(port->dev, lockdep_rtnl_is_held() ||
				     rcu_read_lock_bh_held());
}
EXPORT_SYMBOL_GPL(kagent_port_netdev);

/**
 * kagent_port_dev_hold() - the port's ndd0, from where it may go away
 * @port: port
 *
 * Return: netdev for dev_put(), or NULL
 */
struct net_device *kagent_port_dev_hold(struct kagent_port *port)
{
	struct net_device *dev;

	rcu_read_lock();
	dev = rcu_dereference(port->dev);
	dev_hold(dev);
	rcu_read_unlock();
	return dev;
}

/**
 * kagent_port_priv() - the provider's own data of a port
 * @port: port
 *
 * Return: what kagent_port_set_priv() set, NULL before
 */
void *kagent_port_priv(const struct kagent_port *port)
{
	return READ_ONCE(port->priv);
}
EXPORT_SYMBOL_GPL(kagent_port_priv);

/**
 * kagent_port_set_priv() - set the provider's own data of a port
 * @port: port
 * @priv: data
 */
void kagent_port_set_priv(struct kagent_port *port, void *priv)
{
	WRITE_ONCE(port->priv, priv);
}
EXPORT_SYMBOL_GPL(kagent_port_set_priv);

/**
 * kagent_port_mode() - who drives the port at this moment
 * @port: port
 *
 * Return: mode; may change at once unless the caller knows why not
 */
enum ndd_mode kagent_port_mode(const struct kagent_port *port)
{
	return READ_ONCE(port->mode);
}
EXPORT_SYMBOL_GPL(kagent_port_mode);

/**
 * kagent_phase() - note when a step of the hand-over happened
 * @port: port
 * @phase: step
 */
void kagent_phase(struct kagent_port *port, enum kagent_phase phase)
{
	if (phase < KAGENT_PHASES)
		WRITE_ONCE(port->phases[phase], ktime_get());
}
EXPORT_SYMBOL_GPL(kagent_phase);

/**
 * kagent_provider() - the provider, under rtnl
 *
 * Return: its operations, or NULL
 */
const struct kagent_provider_ops *kagent_provider(void)
{
	ASSERT_RTNL();
	return provider;
}

/**
 * kagent_port_ops_get() - the provider's operations, outside rtnl
 * @port: port
 *
 * Return: operations for kagent_port_ops_put(), or NULL without a provider
 */
const struct kagent_provider_ops *kagent_port_ops_get(struct kagent_port *port)
{
	const struct kagent_provider_ops *ops;

	rcu_read_lock();
	ops = rcu_dereference(port->ops);
	if (ops && !try_module_get(ops->owner))
		ops = NULL;
	rcu_read_unlock();
	return ops;
}

/**
 * kagent_port_ops_put() - done with the provider's operations
 * @ops: operations, may be NULL
 */
void kagent_port_ops_put(const struct kagent_provider_ops *ops)
{
	if (ops)
		module_put(ops->owner);
}

/**
 * kagent_provider_register() - a provider is there
 * @ops: its operations, all of them
 *
 * Return: 0, or -EBUSY if there is another one
 */
int kagent_provider_register(const struct kagent_provider_ops *ops)
{
	struct kagent_port *port;
	int err = -EBUSY;

	rtnl_lock();
	if (!provider) {
		provider = ops;
		mutex_lock(&kagent_ports_lock);
		list_for_each_entry(port, &kagent_ports, list)
			rcu_assign_pointer(port->ops, ops);
		mutex_unlock(&kagent_ports_lock);
		err = 0;
	}
	rtnl_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(kagent_provider_register);

/**
 * kagent_provider_unregister() - a provider is going
 * @ops: its operations
 *
 * Each port lets go of its lower and is in mode NONE then. No port is out of direct
 * mode: that would hold the provider's module. One that a process is just about to
 * take finds that there is no provider any more.
 */
void kagent_provider_unregister(const struct kagent_provider_ops *ops)
{
	struct kagent_port *port;

	rtnl_lock();
	provider = NULL;
	/* rtnl keeps ports from coming, and those with a netdev from going */
	for (port = kagent_port_next(NULL); port; port = kagent_port_next(port)) {
		struct net_device *dev = rtnl_dereference(port->dev);

		if (dev) {
			ops->detach(port);
			kagent_lower_changed(port, NULL);
		}
		RCU_INIT_POINTER(port->ops, NULL);
	}
	rtnl_unlock();
	/* transmit paths that still saw the operations */
	synchronize_net();
}
EXPORT_SYMBOL_GPL(kagent_provider_unregister);

/**
 * kagent_ports_init() - make the queue of the ports' work
 *
 * Return: 0 or -ENOMEM
 */
int kagent_ports_init(void)
{
	kagent_wq = alloc_workqueue("kagent", WQ_UNBOUND, 0);
	return kagent_wq ? 0 : -ENOMEM;
}

/**
 * kagent_ports_exit() - wait until the last port is gone
 */
void kagent_ports_exit(void)
{
	wait_event(kagent_ports_gone, !atomic_read(&kagent_live_ports));
	destroy_workqueue(kagent_wq);
	ida_destroy(&kagent_minors);
}
