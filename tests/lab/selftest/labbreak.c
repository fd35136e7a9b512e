// SPDX-License-Identifier: GPL-2.0-only
/* labbreak: breaks the kernel on request, so that the lab's self-test can see
 * that each kind of breakage is reported as a failure of the running case.
 * echo KIND >/sys/module/labbreak/parameters/now
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <net/net_namespace.h>

static void spin(unsigned int seconds)
{
	while (seconds--)
		mdelay(1000);
}

static void labbreak_warn(void)
{
	WARN_ON(1);
}

static void labbreak_bug(void)
{
	BUG();
}

static void labbreak_oops(void)
{
	int *volatile nowhere = (int *)8;

	WRITE_ONCE(*nowhere, 1);
}

static void labbreak_gpf(void)
{
	int *volatile nowhere = (int *)0xdead000000000100UL;

	WRITE_ONCE(*nowhere, 1);
}

static void labbreak_lockup(void)
{
	/* RCU complains of who holds up a grace period, so let there be one */
	start_poll_synchronize_rcu();
	preempt_disable();
	spin(8);
	preempt_enable();
}

static void labbreak_hung(void)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(6 * HZ);
}

static void labbreak_refcount(void)
{
	refcount_t r = REFCOUNT_INIT(0);

	refcount_inc(&r);
}

static void labbreak_alloc(void)
{
	static struct page *pages[512];
	int n = 0;

	/* 2 GiB in pieces of 4 MiB, more than the guest has */
	while (n < ARRAY_SIZE(pages)) {
		pages[n] = alloc_pages(GFP_NOWAIT & ~__GFP_NOWARN, 10);
		if (!pages[n])
			break;
		n++;
	}
	while (n--)
		__free_pages(pages[n], 10);
}

/* "dummy0" can't go away while this reference is held */
static struct net_device *held;

static void labbreak_hold(void)
{
	held = dev_get_by_name(&init_net, "dummy0");
}

static void labbreak_release(void)
{
	if (held)
		dev_put(held);
	held = NULL;
}

static void labbreak_panic(void)
{
	panic("labbreak");
}

/* What follows is seen by the debug kernel alone, each by another check. */

static char *volatile freed;

static void labbreak_use_after_free(void)
{
	freed = kmalloc(64, GFP_KERNEL);
	kfree(freed);
	/* read through the volatile pointer: or the compiler sees it, too */
	READ_ONCE(*freed);
}

static void labbreak_leak(void)
{
	int n;

	/* several: one may live on in a register's old value */
	for (n = 0; n < 8; n++)
		freed = kmalloc(200, GFP_KERNEL);
	freed = NULL;
}

static DEFINE_SPINLOCK(spinlock);

static void labbreak_sleep(void)
{
	spin_lock(&spinlock);
	might_sleep();
	spin_unlock(&spinlock);
}

static DEFINE_MUTEX(mutex_a);
static DEFINE_MUTEX(mutex_b);

static void labbreak_circular(void)
{
	mutex_lock(&mutex_a);
	mutex_lock(&mutex_b);
	mutex_unlock(&mutex_b);
	mutex_unlock(&mutex_a);
	mutex_lock(&mutex_b);
	mutex_lock(&mutex_a);
	mutex_unlock(&mutex_a);
	mutex_unlock(&mutex_b);
}

static void __rcu *pointer;

static void labbreak_rcu(void)
{
	rcu_dereference(pointer);
}

static void labbreak_timed(struct timer_list *timer)
{
}

static void labbreak_free_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, labbreak_timed, 0);
	mod_timer(timer, jiffies + 60 * HZ);
	kfree(timer);
}

/* The first NIC's driver would have asked whether the mapping failed. */
static void labbreak_dma(void)
{
	struct pci_dev *pdev = pci_get_domain_bus_and_slot(0, 0, PCI_DEVFN(3, 0));
	void *buffer = kmalloc(64, GFP_KERNEL);
	dma_addr_t address;

	if (pdev && buffer) {
		address = dma_map_single(&pdev->dev, buffer, 64, DMA_TO_DEVICE);
		dma_unmap_single(&pdev->dev, address, 64, DMA_TO_DEVICE);
	}
	kfree(buffer);
	pci_dev_put(pdev);
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{ "warn", labbreak_warn },	   { "bug", labbreak_bug },
	{ "oops", labbreak_oops },	   { "gpf", labbreak_gpf },
	{ "lockup", labbreak_lockup },	   { "hung", labbreak_hung },
	{ "refcount", labbreak_refcount }, { "alloc", labbreak_alloc },
	{ "hold", labbreak_hold },	   { "release", labbreak_release },
	{ "panic", labbreak_panic },	   { "leak", labbreak_leak },
	{ "sleep", labbreak_sleep },	   { "circular", labbreak_circular },
	{ "rcu", labbreak_rcu },	   { "dma", labbreak_dma },
	{ "use_after_free", labbreak_use_after_free },
	{ "free_timer", labbreak_free_timer },
};

static int labbreak_set(const char *value, const struct kernel_param *kp)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (sysfs_streq(value, kinds[i].name)) {
			/* not under the lock of all module parameters */
			kernel_param_unlock(THIS_MODULE);
			kinds[i].run();
			kernel_param_lock(THIS_MODULE);
			return 0;
		}
	}
	return -EINVAL;
}

static const struct kernel_param_ops labbreak_ops = { .set = labbreak_set };
module_param_cb(now, &labbreak_ops, NULL, 0200);
MODULE_PARM_DESC(now, "kind of breakage to cause at once");

MODULE_DESCRIPTION("Breaks the kernel on request (self-test of the lab)");
MODULE_LICENSE("GPL");
