/* kernel_order.h - an order that the kernel keeps, told to the thread sanitizer, which does not look into the kernel.
 *
 * A RELEASE comes only after every other request for the same handle was answered. No lock of ours says so, and none is
 * needed. Nothing is left of this in other builds; nothing else may be explained to the sanitizer here. */
#ifndef VAULTFS_KERNEL_ORDER_H
#define VAULTFS_KERNEL_ORDER_H

#if defined(__SANITIZE_THREAD__)
#define KERNEL_ORDER_SHOWN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KERNEL_ORDER_SHOWN 1
#endif
#endif

#ifdef KERNEL_ORDER_SHOWN
#include <sanitizer/tsan_interface.h>
#endif

/* The caller is about to answer a request for `object`: what it did stands before the end of the object. */
static inline void kernel_order_answer(void *object)
{
#ifdef KERNEL_ORDER_SHOWN
	__tsan_release(object);
#else
	(void)object;
#endif
}

/* The kernel sent the last request for `object`: all answers were given. */
static inline void kernel_order_last(void *object)
{
#ifdef KERNEL_ORDER_SHOWN
	__tsan_acquire(object);
#else
	(void)object;
#endif
}

#endif
