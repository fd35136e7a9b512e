// SPDX-License-Identifier: GPL-2.0-only
/*
 * chardev.c - /dev/ndd/<PCI address>: how a process speaks to its port.
 *
 * Permission on this node (0600 root unless udev says otherwise) is all that a
 * process needs. Opening it takes nothing; the file that did NDD_TAKE is the
 * owner, and its end is the owner's. One that did NDD_STANDBY may become it.
 */
#include <linux/cdev.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "session.h"

/* Ports at a time; one character device serves all of them. */
#define KAGENT_NODES	256

static struct class *kagent_class;
static struct cdev kagent_cdev;
static dev_t kagent_devt;

static struct kagent_file *kagent_file(struct file *file)
{
	return file->private_data;
}

/* What this file has taken or waits for. */
static struct kagent_session *kagent_session_of(struct kagent_file *kf)
{
	/* pairs with the release in kagent_hand_over() and kagent_standby_join() */
	return smp_load_acquire(&kf->session);
}

/* The hold is this file's, or was until it ended. */
static bool kagent_owns(const struct kagent_file *kf,
			const struct kagent_session *session)
{
	return READ_ONCE(session->owner_file) == kf;
}

static bool kagent_waits(const struct kagent_file *kf)
{
	/* pairs with the release in kagent_standby_own() */
	return smp_load_acquire(&kf->waits);
}

/* The hold of this file, if it is not over, nor somebody else's by now. */
static struct kagent_session *kagent_hold(struct file *file)
{
	struct kagent_file *kf = kagent_file(file);
	struct kagent_session *session = kagent_session_of(kf);

	if (!session || kagent_waits(kf))
		return ERR_PTR(-EBADF);
	if (kagent_session_revoked(session) || !kagent_owns(kf, session))
		return ERR_PTR(-EIO);
	return session;
}

static int kagent_open(struct inode *inode, struct file *file)
{
	struct kagent_file *kf;

	kf = kzalloc(sizeof(*kf), GFP_KERNEL_ACCOUNT);
	if (!kf)
		return -ENOMEM;
	kf->port = kagent_port_by_minor(iminor(inode));
	if (!kf->port) {
		kfree(kf);
		return -ENODEV;
	}
	mutex_init(&kf->take_lock);
	INIT_LIST_HEAD(&kf->entry);
	file->private_data = kf;
	return nonseekable_open(inode, file);
}

/* Every close() of a duplicate and exec come by here, and the owner's death
 * before its children's: only that counts.
 */
static int kagent_flush(struct file *file, fl_owner_t id)
{
	struct kagent_file *kf = kagent_file(file);
	struct kagent_session *session = kagent_session_of(kf);

	if (!(current->flags & PF_EXITING) || !session)
		return 0;
	/* first: whoever is not in the list any more may be the owner */
	if (kf->files && kf->files == id)
		kagent_standby_leave(kf);
	if (kagent_owns(kf, session) && session->files == id)
		kagent_file_end(kf);
	return 0;
}

static int kagent_close(struct inode *inode, struct file *file)
{
	struct kagent_file *kf = kagent_file(file);

	if (kf->session) {
		kagent_standby_leave(kf);
		kagent_file_end(kf);
		kagent_session_put(kf->session);
	}
	put_pid(kf->pid);
	kagent_port_put(kf->port);
	kfree(kf);
	return 0;
}

static int kagent_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kagent_file *kf = kagent_file(file);
	struct kagent_session *session;

	/* who waits sees what the owner sees */
	session = kagent_session_of(kf);
	if (!session || !kagent_waits(kf))
		session = kagent_hold(file);
	if (IS_ERR(session))
		return PTR_ERR(session);
	return kagent_session_mmap(session, vma);
}

/* Of one that has nothing there is nothing to tell, then or later. */
static __poll_t kagent_poll_node(struct file *file, poll_table *wait)
{
	struct kagent_file *kf = kagent_file(file);
	struct kagent_session *session = kagent_session_of(kf);

	if (!session)
		return EPOLLERR;
	poll_wait(file, &session->wait, wait);
	if (kagent_session_revoked(session))
		return EPOLLHUP | EPOLLERR;
	if (kagent_waits(kf))
		return 0;
	return kagent_owns(kf, session) ? EPOLLIN | EPOLLRDNORM :
					  EPOLLHUP | EPOLLERR;
}

static long kagent_get_info(struct kagent_port *port, void __user *arg)
{
	struct ndd_info info;
	struct net_device *dev;
	u32 argsz, flags;

	if (copy_from_user(&info, arg, offsetofend(struct ndd_info, flags)))
		return -EFAULT;
	argsz = info.argsz;
	flags = info.flags;
	if (argsz < sizeof(info) || flags)
		return -EINVAL;
	memset(&info, 0, sizeof(info));
	info.argsz = sizeof(info);
	info.api_major = NDD_API_MAJOR;
	info.api_minor = NDD_API_MINOR;
	info.features = KAGENT_FEATURES;
	spin_lock_bh(&port->lock);
	info.mode = port->mode;
	info.reason = port->reason;
	spin_unlock_bh(&port->lock);
	info.owner_pid = kagent_port_owner(port);
	strscpy(info.port, port->name, sizeof(info.port));
	dev = kagent_port_dev_hold(port);
	if (dev) {
		info.ifindex = dev->ifindex;
		strscpy(info.netdev, dev->name, sizeof(info.netdev));
		dev_put(dev);
	}
	kagent_port_driver(port, info.driver, sizeof(info.driver));
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long kagent_set_event(struct kagent_session *session, void __user *arg)
{
	struct ndd_event event;

	if (copy_from_user(&event, arg, sizeof(event)))
		return -EFAULT;
	if (event.argsz < sizeof(event) || event.flags)
		return -EINVAL;
	return kagent_session_set_event(session, event.queue, event.fd);
}

static bool kagent_link_ok(const struct ndd_link *link)
{
	return link->argsz >= sizeof(*link) && !link->flags &&
	       link->link <= NDD_LINK_UP &&
	       link->duplex <= NDD_DUPLEX_FULL && link->autoneg <= 2;
}

static long kagent_set_link(struct kagent_session *session, void __user *arg)
{
	struct kagent_port *port = session->port;
	struct net_device *dev;
	struct ndd_link link;
	enum ndd_mode mode;

	if (copy_from_user(&link, arg, sizeof(link)))
		return -EFAULT;
	if (!kagent_link_ok(&link))
		return -EINVAL;
	rtnl_lock();
	dev = rtnl_dereference(port->dev);
	mode = kagent_port_mode(port);
	if (dev && !kagent_session_revoked(session) &&
	    (mode == NDD_MODE_TAKING || mode == NDD_MODE_TUNNEL)) {
		port->link = link;
		if (mode == NDD_MODE_TUNNEL)
			kagent_link_told(dev);
	}
	rtnl_unlock();
	return 0;
}

static long kagent_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct kagent_port *port = kagent_file(file)->port;
	struct kagent_session *session;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case NDD_GET_INFO:
		return kagent_get_info(port, user);
	case NDD_TAKE:
		return kagent_ioctl_take(kagent_file(file), user,
					 kagent_take_port);
	case NDD_STANDBY:
		return kagent_ioctl_take(kagent_file(file), user,
					 kagent_standby);
	default:
		break;
	}

	session = kagent_session_of(kagent_file(file));
	if (cmd == NDD_START && session && kagent_waits(kagent_file(file)))
		return kagent_standby_start(kagent_file(file), session);
	session = kagent_hold(file);
	if (IS_ERR(session))
		return PTR_ERR(session);
	switch (cmd) {
	case NDD_START:
		return kagent_port_start(port, session);
	case NDD_GIVE_BACK:
		set_bit(KAGENT_SESSION_GIVEN_BACK, &session->flags);
		return 0;
	case NDD_KICK:
		if (arg >= session->queues)
			return -EINVAL;
		kagent_look(session, arg);
		return 0;
	case NDD_SET_EVENT:
		return kagent_set_event(session, user);
	case NDD_SET_LINK:
		return kagent_set_link(session, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations kagent_fops = {
	.owner = THIS_MODULE,
	.open = kagent_open,
	.flush = kagent_flush,
	.release = kagent_close,
	.mmap = kagent_mmap,
	.poll = kagent_poll_node,
	.unlocked_ioctl = kagent_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * kagent_node_create() - make /dev/ndd/<name>
 * @port: port
 *
 * Return: 0 or an error
 */
int kagent_node_create(struct kagent_port *port)
{
	struct device *node;

	if (port->minor >= KAGENT_NODES)
		return -ENOSPC;
	/* '!' becomes '/' */
	node = device_create_with_groups(kagent_class, NULL,
					 MKDEV(MAJOR(kagent_devt), port->minor),
					 NULL, kagent_node_groups, "ndd!%s",
					 port->name);
	if (IS_ERR(node))
		return PTR_ERR(node);
	port->node = node;
	return 0;
}

/**
 * kagent_node_destroy() - remove it; files that are open stay
 * @port: port
 */
void kagent_node_destroy(struct kagent_port *port)
{
	if (port->node)
		device_unregister(port->node);
	port->node = NULL;
}

/* udev has a link to the node by the netdev's name, and hears of nodes only. */
static int kagent_netdev_event(struct notifier_block *nb, unsigned long event,
			       void *data)
{
	struct net_device *dev = netdev_notifier_info_to_dev(data);

	if (event == NETDEV_CHANGENAME &&
	    dev->rtnl_link_ops == &kagent_link_ops &&
	    kagent_priv(dev)->port->node)
		kobject_uevent(&kagent_priv(dev)->port->node->kobj,
			       KOBJ_CHANGE);
	return NOTIFY_DONE;
}

static struct notifier_block kagent_netdev_nb = {
	.notifier_call = kagent_netdev_event,
};

/**
 * kagent_chardev_init() - get numbers for the nodes
 *
 * Return: 0 or an error
 */
int kagent_chardev_init(void)
{
	int err;

	kagent_class = kagent_class_create("ndd");
	if (IS_ERR(kagent_class))
		return PTR_ERR(kagent_class);
	err = alloc_chrdev_region(&kagent_devt, 0, KAGENT_NODES, "ndd");
	if (err)
		goto err_class_destroy;
	cdev_init(&kagent_cdev, &kagent_fops);
	kagent_cdev.owner = THIS_MODULE;
	err = cdev_add(&kagent_cdev, kagent_devt, KAGENT_NODES);
	if (err)
		goto err_unregister_region;
	err = register_netdevice_notifier(&kagent_netdev_nb);
	if (err)
		goto err_cdev_del;
	return 0;

err_cdev_del:
	cdev_del(&kagent_cdev);
err_unregister_region:
	unregister_chrdev_region(kagent_devt, KAGENT_NODES);
err_class_destroy:
	class_destroy(kagent_class);
	return err;
}

/**
 * kagent_chardev_exit() - give the numbers back
 */
void kagent_chardev_exit(void)
{
	unregister_netdevice_notifier(&kagent_netdev_nb);
	cdev_del(&kagent_cdev);
	unregister_chrdev_region(kagent_devt, KAGENT_NODES);
	class_destroy(kagent_class);
}
