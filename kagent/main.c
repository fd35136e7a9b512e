// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - kagent.ko comes and goes.
 *
 * The last port is gone before anything it stands on is taken away: links are
 * deleted first, and their ports end in mode NONE, since a provider that could
 * have them in any other mode holds this module.
 */
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>

#include "kagent.h"

static int __init kagent_init(void)
{
	int err;

	err = kagent_ports_init();
	if (err)
		return err;
	err = kagent_chardev_init();
	if (err)
		goto err_ports_exit;
	err = kagent_genl_init();
	if (err)
		goto err_chardev_exit;
	err = kagent_rtnl_init();
	if (err)
		goto err_genl_exit;
	return 0;

err_genl_exit:
	kagent_genl_exit();
err_chardev_exit:
	kagent_chardev_exit();
err_ports_exit:
	kagent_ports_exit();
	return err;
}

static void __exit kagent_exit(void)
{
	kagent_rtnl_exit();
	kagent_ports_exit();
	kagent_genl_exit();
	kagent_chardev_exit();
}

module_init(kagent_init);
module_exit(kagent_exit);

MODULE_DESCRIPTION("Stable netdev over a port that a process may take");
MODULE_LICENSE("GPL");
MODULE_ALIAS_RTNL_LINK("ndd");
MODULE_ALIAS_GENL_FAMILY(NDD_GENL_NAME);
