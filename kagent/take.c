// SPDX-License-Identifier: GPL-2.0-only
/*
 * take.c - NDD_TAKE: checks what a process asks for, and hands it the port. And
 * what NDD_STANDBY (standby.c) has in common with it.
 *
 * Memory is made here, in the process's context, so that its cgroup is charged;
 * the hand-over itself is done by the port's work, with the kernel's credentials.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ring.h"
#include "session.h"

#define KAGENT_RING_DEFAULT	1024
#define KAGENT_BUFS_DEFAULT	4096
/* Of the pool, for KTX, by default. */
#define KAGENT_KERNEL_SHARE	4
/* Likewise, in stock for exchange. */
#define KAGENT_EXCHANGE_SHARE	4
/* Two of the frames that take the most, for each queue. */
#define KAGENT_KERNEL_MIN	(2 * KAGENT_TX_BUFS)
/* 16 MiB each of descriptor rings and of state */
#define KAGENT_PAGES_MAX	4096

#define KAGENT_WATCH_DEFAULT_US	1000000
#define KAGENT_WATCH_MIN_US	1000
#define KAGENT_WATCH_MAX_US	60000000

static bool kagent_watch_ok(struct ndd_watch *watch)
{
	if (!watch->interval_us)
		watch->interval_us = KAGENT_WATCH_DEFAULT_US;
	return watch->interval_us >= KAGENT_WATCH_MIN_US &&
	       watch->interval_us <= KAGENT_WATCH_MAX_US &&
	       (!watch->app_deadline_us ||
		(watch->app_deadline_us >= KAGENT_WATCH_MIN_US &&
		 watch->app_deadline_us <= KAGENT_WATCH_MAX_US)) &&
	       watch->on_debugger <= NDD_ON_DEBUGGER_HOLD && !watch->reserved;
}

static int kagent_spec(struct kagent_port *port, const struct ndd_take *take,
		       struct kagent_session_spec *spec, struct kagent_msg *msg)
{
	u32 pool_max = min_t(u32, READ_ONCE(port->pool_max),
			     PFN_DOWN(KAGENT_POOL_IOVA_END - KAGENT_POOL_IOVA) -
			     KAGENT_PAGES_MAX);
	struct net_device *dev = kagent_port_dev_hold(port);
	u32 queues = dev ? min(dev->num_tx_queues, dev->num_rx_queues) : 1;
	u32 least;

	dev_put(dev);
	*spec = (struct kagent_session_spec) {
		.features = take->features & KAGENT_FEATURES,
		.queues = min_t(u32, take->queues ?: 1, queues),
		.ring_size = take->ring_size ?: KAGENT_RING_DEFAULT,
		.buf_count = take->buf_count ?: KAGENT_BUFS_DEFAULT,
		.nic_pages = take->nic_pages,
		.state_pages = take->state_pages,
		.watch = take->watch,
	};
	spec->kernel_bufs = take->kernel_bufs ?:
			    spec->buf_count / KAGENT_KERNEL_SHARE;
	if (spec->features & NDD_F_EXCHANGE)
		spec->exchange_bufs = take->exchange_bufs ?:
				      spec->buf_count / KAGENT_EXCHANGE_SHARE;
	/* a segment's checksum is its NIC's */
	if (!(spec->features & NDD_F_TX_CSUM))
		spec->features &= ~(NDD_F_TSO4 | NDD_F_TSO6);
	/* as many for each queue */
	spec->kernel_bufs -= spec->kernel_bufs % spec->queues;
	spec->exchange_bufs -= spec->exchange_bufs % spec->queues;
	least = spec->queues * KAGENT_KERNEL_MIN;

	if (take->flags ||
	    memchr_inv(take->reserved, 0, sizeof(take->reserved)))
		kagent_msg_set(msg, "%s: a flag or reserved field of struct ndd_take is not 0",
			       port->name);
	else if (take->queues > NDD_QUEUES_MAX)
		kagent_msg_set(msg, "%s: %u queue pairs wanted, %u is the most",
			       port->name, take->queues, NDD_QUEUES_MAX);
	else if (!kagent_ring_size_ok(spec->ring_size))
		kagent_msg_set(msg, "%s: ring_size %u is no power of two between %u and %u",
			       port->name, spec->ring_size, NDD_RING_MIN,
			       NDD_RING_MAX);
	else if (spec->buf_count > pool_max)
		kagent_msg_set(msg,
			       "%s: %u buffers wanted, %u is the most for this port; create ndd0 with a larger one (nddctl create --pool-max)",
			       port->name, spec->buf_count, pool_max);
	else if (spec->kernel_bufs < least ||
		 spec->kernel_bufs >= spec->buf_count)
		kagent_msg_set(msg,
			       "%s: kernel_bufs %u must be %u at least, and less than buf_count %u",
			       port->name, spec->kernel_bufs, least,
			       spec->buf_count);
	else if (take->exchange_bufs && !(take->features & NDD_F_EXCHANGE))
		kagent_msg_set(msg, "%s: exchange_bufs without NDD_F_EXCHANGE",
			       port->name);
	else if (spec->exchange_bufs >= spec->buf_count - spec->kernel_bufs)
		kagent_msg_set(msg,
			       "%s: exchange_bufs %u and kernel_bufs %u must be less than buf_count %u together",
			       port->name, spec->exchange_bufs,
			       spec->kernel_bufs, spec->buf_count);
	else if (spec->nic_pages > KAGENT_PAGES_MAX ||
		 spec->state_pages > KAGENT_PAGES_MAX)
		kagent_msg_set(msg, "%s: nic_pages %u or state_pages %u is more than %u",
			       port->name, spec->nic_pages, spec->state_pages,
			       KAGENT_PAGES_MAX);
	else if (!kagent_watch_ok(&spec->watch))
		kagent_msg_set(msg,
			       "%s: watch: times are %u to %u us, on_debugger 0 or 1, reserved 0",
			       port->name, KAGENT_WATCH_MIN_US,
			       KAGENT_WATCH_MAX_US);
	else
		return 0;
	return -EINVAL;
}

/* One taker at a time, from here to kagent_take_finish() or unclaim. A port in
 * direct mode may have the session of its last hold for a moment yet: the port's
 * work lets go of it before it looks at who is next.
 */
static int kagent_claim(struct kagent_port *port, struct kagent_msg *msg)
{
	pid_t owner = kagent_port_owner(port);
	enum ndd_mode mode;
	int err = -EBUSY;

	spin_lock_bh(&port->lock);
	mode = port->mode;
	if (mode == NDD_MODE_NONE || mode == NDD_MODE_UNBOUND) {
		err = -ENODEV;
	} else if (mode == NDD_MODE_DIRECT && !port->claimed) {
		port->claimed = true;
		err = 0;
	}
	spin_unlock_bh(&port->lock);

	if (err == -ENODEV)
		kagent_msg_set(msg,
			       "%s: no in-kernel driver has this port (mode %s): load nddcore, or bind the device to its driver",
			       port->name, kagent_mode_name(mode));
	else if (err && owner)
		kagent_msg_set(msg,
			       "%s: taken by process %d (mode %s); it has to end or give the port back first",
			       port->name, owner, kagent_mode_name(mode));
	else if (err)
		kagent_msg_set(msg, "%s: the port is changing hands (mode %s); try again",
			       port->name, kagent_mode_name(mode));
	return err;
}

/* If ndd0 has gone meanwhile, and nothing was taken, nobody else unlists the port. */
static void kagent_unclaim(struct kagent_port *port)
{
	bool over;

	spin_lock_bh(&port->lock);
	port->claimed = false;
	over = port->unlinked && !port->session;
	spin_unlock_bh(&port->lock);
	if (over)
		kagent_port_unlist(port);
}

static void kagent_request_free(struct kref *ref)
{
	struct kagent_take_request *request =
		container_of(ref, struct kagent_take_request, ref);

	if (request->take.group)
		fput(request->take.group);
	if (request->take.container)
		fput(request->take.container);
	kagent_session_put(request->session);
	kfree(request);
}

/**
 * kagent_take_finish() - the port's work has an answer
 * @port: port
 * @request: request; this is the work's last word on it
 * @err: 0: the port is taken
 */
void kagent_take_finish(struct kagent_port *port,
			struct kagent_take_request *request, int err)
{
	request->err = err;
	kagent_unclaim(port);
	complete(&request->done);
	kref_put(&request->ref, kagent_request_free);
}

static int kagent_request(struct kagent_port *port,
			  struct kagent_take_request *request,
			  struct kagent_msg *msg)
{
	kref_get(&request->ref);
	spin_lock_bh(&port->lock);
	port->request = request;
	spin_unlock_bh(&port->lock);
	kagent_port_wake(port, 0);
	if (wait_for_completion_killable(&request->done)) {
		/* whichever comes first, the work or we, sees the other */
		set_bit(KAGENT_SESSION_ABANDONED, &request->session->flags);
		kagent_port_end(port, request->session, NDD_REASON_DIED);
		return -EINTR;
	}
	*msg = request->msg;
	return request->err;
}

/**
 * kagent_answer() - say what a hold is like
 * @session: hold
 * @take: gets its sizes, watch and features
 */
void kagent_answer(const struct kagent_session *session,
		   struct ndd_take *take)
{
	take->queues = session->queues;
	take->features = session->view.features;
	take->ring_size = session->ring_size;
	take->buf_count = session->view.buf_count;
	take->kernel_bufs = session->kernel_bufs;
	take->exchange_bufs = session->exchange_bufs;
	take->watch = session->watch;
	take->ctrl_size = (u64)session->ctrl_pages.count * PAGE_SIZE;
	take->state_size = (u64)session->state_pages.count * PAGE_SIZE;
	take->pool_size = (u64)session->pool.count * PAGE_SIZE;
	take->pool_iova = KAGENT_POOL_IOVA;
	take->window_iova = kagent_window_iova(session);
	take->window_size = kagent_window_size(session);
}

/**
 * kagent_fds_reserve() - number the descriptors that a process will get
 * @file: node
 * @take: gets the numbers
 * @msg: gets the reason of a failure
 *
 * Before anything is done; they are known to the process after all that can fail.
 *
 * Return: 0 or -EMFILE
 */
int kagent_fds_reserve(struct kagent_file *file, struct ndd_take *take,
		       struct kagent_msg *msg)
{
	take->group_fd = get_unused_fd_flags(O_CLOEXEC);
	take->container_fd = get_unused_fd_flags(O_CLOEXEC);
	if (take->group_fd >= 0 && take->container_fd >= 0)
		return 0;
	kagent_msg_set(msg, "%s: the process has no file descriptors left",
		       file->port->name);
	kagent_fds_cancel(take);
	return -EMFILE;
}

/**
 * kagent_fds_cancel() - nothing will be there
 * @take: with numbers, or errors
 */
void kagent_fds_cancel(const struct ndd_take *take)
{
	if (take->group_fd >= 0)
		put_unused_fd(take->group_fd);
	if (take->container_fd >= 0)
		put_unused_fd(take->container_fd);
}

static int kagent_hand_over(struct kagent_file *file,
			    struct kagent_take_request *request,
			    struct ndd_take *take, void __user *arg,
			    struct kagent_msg *msg)
{
	struct kagent_session *session = request->session;
	int err;

	err = kagent_fds_reserve(file, take, msg);
	if (err) {
		kagent_unclaim(file->port);
		return err;
	}
	err = kagent_request(file->port, request, msg);
	if (err)
		goto err_cancel_fds;

	/* from now on the end of the file is the end of the hold */
	kagent_session_get(session);
	/* its contents before the pointer; pairs with kagent_hold() */
	smp_store_release(&file->session, session);
	kagent_answer(session, take);
	if (copy_to_user(arg, take, sizeof(*take))) {
		err = -EFAULT;
		kagent_port_end(file->port, session, NDD_REASON_TAKE_FAILED);
		goto err_cancel_fds;
	}
	fd_install(take->group_fd, request->take.group);
	fd_install(take->container_fd, request->take.container);
	request->take = (struct kagent_take) {};
	return 0;

err_cancel_fds:
	kagent_fds_cancel(take);
	return err;
}

/**
 * kagent_take_port() - the part of NDD_TAKE that is its own
 * @file: node
 * @take: what is asked for
 * @arg: gets the answer
 * @msg: gets the reason of a failure
 *
 * Return: 0 or an error
 */
int kagent_take_port(struct kagent_file *file, struct ndd_take *take,
		     void __user *arg, struct kagent_msg *msg)
{
	struct kagent_take_request *request;
	struct kagent_session_spec spec;
	struct kagent_session *session;
	int err;

	if (file->session) {
		kagent_msg_set(msg,
			       "%s: this descriptor has taken the port, or waited for it, before; open the node again",
			       file->port->name);
		return -EBUSY;
	}
	err = kagent_spec(file->port, take, &spec, msg);
	if (!err)
		err = kagent_claim(file->port, msg);
	if (err)
		return err;
	session = kagent_session_create(file->port, &spec);
	request = kzalloc(sizeof(*request), GFP_KERNEL);
	if (IS_ERR(session) || !request) {
		kagent_msg_set(msg, "%s: no memory for a pool of %u buffers",
			       file->port->name, spec.buf_count);
		if (!IS_ERR(session))
			kagent_session_put(session);
		kfree(request);
		kagent_unclaim(file->port);
		return -ENOMEM;
	}
	session->owner_file = file;
	kref_init(&request->ref);
	init_completion(&request->done);
	request->session = session;
	err = kagent_hand_over(file, request, take, arg, msg);
	kref_put(&request->ref, kagent_request_free);
	return err;
}

/**
 * kagent_ioctl_take() - NDD_TAKE or NDD_STANDBY
 * @file: node
 * @arg: struct ndd_take
 * @what: does it: kagent_take_port() or kagent_standby()
 *
 * Return: 0 or an error, with a sentence in @arg
 */
long kagent_ioctl_take(struct kagent_file *file, void __user *arg,
		       int (*what)(struct kagent_file *file,
				   struct ndd_take *take, void __user *arg,
				   struct kagent_msg *msg))
{
	struct ndd_take __user *user = arg;
	struct kagent_msg msg = {};
	struct ndd_take *take;
	u32 argsz;
	long err;

	if (get_user(argsz, &user->argsz))
		return -EFAULT;
	if (argsz < sizeof(*take))
		return -EINVAL;
	take = memdup_user(arg, sizeof(*take));
	if (IS_ERR(take))
		return PTR_ERR(take);
	if (take->api_major != NDD_API_MAJOR ||
	    take->api_minor > NDD_API_MINOR) {
		kagent_msg_set(&msg,
			       "%s: the application was built for ndd %u.%u, the module is %u.%u: load a module of that version or newer",
			       file->port->name, take->api_major,
			       take->api_minor, NDD_API_MAJOR, NDD_API_MINOR);
		err = -EPROTO;
	} else {
		mutex_lock(&file->take_lock);
		err = what(file, take, arg, &msg);
		mutex_unlock(&file->take_lock);
	}
	if (err && (put_user(NDD_API_MAJOR, &user->api_major) ||
		    put_user(NDD_API_MINOR, &user->api_minor) ||
		    copy_to_user(user->msg, msg.text, sizeof(msg.text))))
		err = -EFAULT;
	kfree(take);
	return err;
}
