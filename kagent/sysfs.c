// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs.c - what a person or a script wants to know about a port.
 *
 * /sys/class/net/ndd0/ndd/{mode,reason,ended,owner,waiting,on_hang,driver,port,node,
 * phases}, /sys/class/ndd/.../netdev for udev, and live object counts as read-only module
 * parameters, which are 0 when nothing has leaked.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include "session.h"

static struct kagent_port *kagent_of(struct device *d)
{
	return kagent_priv(to_net_dev(d))->port;
}

static ssize_t mode_show(struct device *d, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  kagent_mode_name(kagent_port_mode(kagent_of(d))));
}
static DEVICE_ATTR_RO(mode);

/* of the last change of mode */
static ssize_t reason_show(struct device *d, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  kagent_reason_name(READ_ONCE(kagent_of(d)->reason)));
}
static DEVICE_ATTR_RO(reason);

/* how the last hold ended */
static ssize_t ended_show(struct device *d, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  kagent_reason_name(READ_ONCE(kagent_of(d)->last_end)));
}
static DEVICE_ATTR_RO(ended);

/* thread group of the owner, or of whoever still holds the device; 0: nobody */
static ssize_t owner_show(struct device *d, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%d\n", kagent_port_owner(kagent_of(d)));
}
static DEVICE_ATTR_RO(owner);

/* processes that wait to go on when the owner ends */
static ssize_t waiting_show(struct device *d, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", kagent_standby_waiting(kagent_of(d)));
}
static DEVICE_ATTR_RO(waiting);

/* enum ndd_on_hang, and what it is given */
static ssize_t on_hang_show(struct device *d, struct device_attribute *attr,
			    char *buf)
{
	const struct kagent_port *port = kagent_of(d);

	switch (READ_ONCE(port->on_hang)) {
	case NDD_ON_HANG_SIGNAL:
		return sysfs_emit(buf, "signal %u\n",
				  READ_ONCE(port->hang_grace_ms));
	case NDD_ON_HANG_REPORT:
		return sysfs_emit(buf, "report\n");
	default:
		return sysfs_emit(buf, "kill\n");
	}
}
static DEVICE_ATTR_RO(on_hang);

static ssize_t driver_show(struct device *d, struct device_attribute *attr,
			   char *buf)
{
	char name[NDD_NAME_LEN];

	kagent_port_driver(kagent_of(d), name, sizeof(name));
	return sysfs_emit(buf, "%s\n", name);
}
static DEVICE_ATTR_RO(driver);

static ssize_t port_show(struct device *d, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n", kagent_of(d)->name);
}
static DEVICE_ATTR_RO(port);

static ssize_t node_show(struct device *d, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "/dev/ndd/%s\n", kagent_of(d)->name);
}
static DEVICE_ATTR_RO(node);

/* CLOCK_MONOTONIC in ns, 0 for what has not happened since the last take */
static ssize_t phases_show(struct device *d, struct device_attribute *attr,
			   char *buf)
{
	static const char * const names[KAGENT_PHASES] = {
		[KAGENT_PHASE_TAKE_BEGIN] = "take_begin",
		[KAGENT_PHASE_TAKE_RELEASED] = "take_released",
		[KAGENT_PHASE_TAKE_ATTACHED] = "take_attached",
		[KAGENT_PHASE_TAKE_OPENED] = "take_opened",
		[KAGENT_PHASE_TAKE_STARTED] = "take_started",
		[KAGENT_PHASE_END_NOTICED] = "end_noticed",
		[KAGENT_PHASE_END_PASSED] = "end_passed",
		[KAGENT_PHASE_END_QUIESCED] = "end_quiesced",
		[KAGENT_PHASE_END_PROBED] = "end_probed",
		[KAGENT_PHASE_END_UP] = "end_up",
		[KAGENT_PHASE_END_LINK] = "end_link",
	};
	int i, len = 0;

	for (i = 0; i < KAGENT_PHASES; i++)
		len += sysfs_emit_at(buf, len, "%s %lld\n", names[i],
				     ktime_to_ns(READ_ONCE(kagent_of(d)->phases[i])));
	return len;
}
static DEVICE_ATTR_RO(phases);

static struct attribute *kagent_attrs[] = {
	&dev_attr_mode.attr,
	&dev_attr_reason.attr,
	&dev_attr_ended.attr,
	&dev_attr_owner.attr,
	&dev_attr_waiting.attr,
	&dev_attr_on_hang.attr,
	&dev_attr_driver.attr,
	&dev_attr_port.attr,
	&dev_attr_node.attr,
	&dev_attr_phases.attr,
	NULL,
};

const struct attribute_group kagent_sysfs_group = {
	.name = "ndd",
	.attrs = kagent_attrs,
};

/* of the character device: name of ndd0 as it is now, for udev's link */
static ssize_t netdev_show(struct device *d, struct device_attribute *attr,
			   char *buf)
{
	struct kagent_port *port = kagent_port_by_minor(MINOR(d->devt));
	struct net_device *dev = port ? kagent_port_dev_hold(port) : NULL;
	int len = 0;

	if (dev)
		len = sysfs_emit(buf, "%s\n", dev->name);
	dev_put(dev);
	if (port)
		kagent_port_put(port);
	return len;
}
static DEVICE_ATTR_RO(netdev);

static struct attribute *kagent_node_attrs[] = {
	&dev_attr_netdev.attr,
	NULL,
};

static const struct attribute_group kagent_node_group = {
	.attrs = kagent_node_attrs,
};

const struct attribute_group *kagent_node_groups[] = {
	&kagent_node_group,
	NULL,
};

static int kagent_get_live(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%d\n", atomic_read(kp->arg));
}

static const struct kernel_param_ops kagent_live_ops = {
	.get = kagent_get_live,
};

module_param_cb(live_ports, &kagent_live_ops, &kagent_live_ports, 0444);
MODULE_PARM_DESC(live_ports, "ports that exist");
module_param_cb(live_sessions, &kagent_live_ops, &kagent_live_sessions, 0444);
MODULE_PARM_DESC(live_sessions, "holds whose memory exists");
module_param_cb(live_pages, &kagent_live_ops, &kagent_live_pages, 0444);
MODULE_PARM_DESC(live_pages, "pages shared with processes");
module_param_cb(live_skbs, &kagent_live_ops, &kagent_live_skbs, 0444);
MODULE_PARM_DESC(live_skbs, "frames whose pages a NIC may read");
