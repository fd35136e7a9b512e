/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exchange.h - a queue's stock of buffers, and those for which it was given away.
 *
 * Pure: built in user space for tests too. A received buffer that the stack keeps
 * goes into a FIFO, and the process gets one of the stock for it. The stack tells
 * nobody when it is done with a page, so we look: at the oldest first, and only
 * when stock is wanted. What is still in use goes to the end, where it delays
 * nothing else.
 *
 * Stock and FIFO together always hold as many as the stock had at first: a socket
 * that never reads can empty the stock, and takes nothing from the process.
 */
#ifndef KAGENT_EXCHANGE_H
#define KAGENT_EXCHANGE_H

#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

/**
 * struct kagent_exchange - stock of one queue, in NAPI
 * @size: buffers, in stock and with the stack together
 * @stocked: in @stock
 * @away: in @fifo
 * @head: place in @fifo of the oldest
 * @stock: stack of buffer indices; the last one given back is given away first,
 *         while its memory is in a cache
 * @fifo: ring of the buffers that the stack has, in the order it got them
 */
struct kagent_exchange {
	__u32 size;
	__u32 stocked;
	__u32 away;
	__u32 head;
	__u32 *stock;
	__u32 *fifo;
};

/**
 * kagent_exchange_init() - all is in stock
 * @ex: exchange
 * @memory: room for 2 * @size indices
 * @first: buffer
 * @size: buffers
 */
static inline void kagent_exchange_init(struct kagent_exchange *ex,
					__u32 *memory, __u32 first, __u32 size)
{
	__u32 i;

	ex->size = size;
	ex->stocked = size;
	ex->away = 0;
	ex->head = 0;
	ex->stock = memory;
	ex->fifo = memory + size;
	/* the lowest on top */
	for (i = 0; i < size; i++)
		ex->stock[i] = first + size - 1 - i;
}

static inline void kagent_exchange_push(struct kagent_exchange *ex, __u32 index)
{
	__u32 at = ex->head + ex->away++;

	ex->fifo[at < ex->size ? at : at - ex->size] = index;
}

static inline __u32 kagent_exchange_pop(struct kagent_exchange *ex)
{
	__u32 index = ex->fifo[ex->head++];

	if (ex->head == ex->size)
		ex->head = 0;
	ex->away--;
	return index;
}

/**
 * kagent_exchange_swap() - give a buffer of the stock for one that is kept
 * @ex: exchange, with stock
 * @kept: buffer
 *
 * Return: the one to give
 */
static inline __u32 kagent_exchange_swap(struct kagent_exchange *ex, __u32 kept)
{
	__u32 given = ex->stock[--ex->stocked];

	kagent_exchange_push(ex, kept);
	return given;
}

/**
 * kagent_exchange_look() - bring the stock to a level, if the stack is done
 * @ex: exchange
 * @wanted: level
 * @looks: how many buffers to look at, at most
 * @done: is the stack done with this buffer, which is in stock then?
 * @context: for @done
 *
 * Return: buffers looked at
 */
static inline __u32 kagent_exchange_look(struct kagent_exchange *ex,
					 __u32 wanted, __u32 looks,
					 bool (*done)(void *context, __u32 index),
					 void *context)
{
	__u32 i;

	if (looks > ex->away)
		looks = ex->away;	/* once around */
	for (i = 0; i < looks && ex->stocked < wanted; i++) {
		__u32 index = kagent_exchange_pop(ex);

		if (done(context, index))
			ex->stock[ex->stocked++] = index;
		else
			kagent_exchange_push(ex, index);
	}
	return i;
}

#endif /* KAGENT_EXCHANGE_H */
