/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of 9P channels.
 */
#include "channel.h"

#include <abi/errno.h>
#include <base/string.h>
#include <core/spinlock.h>

static struct spinlock lock = SPINLOCK_INIT(RANK_EVENT);
static struct list channels = LIST_INIT(channels); /* [lock] */

void
p9_channel_add(struct p9_channel *c)
{
	spin_lock(&lock);
	list_add_tail(&channels, &c->link);
	spin_unlock(&lock);
}

int
p9_channel_claim(const char *tag, struct p9_channel **out)
{
	struct p9_channel *c;
	int err = -ENXIO;

	spin_lock(&lock);
	list_for_each_entry(c, &channels, link) {
		if (strcmp(c->tag, tag))
			continue;
		err = c->in_use ? -EBUSY : 0;
		if (!err) {
			c->in_use = true;
			*out = c;
		}
		break;
	}
	spin_unlock(&lock);
	return err;
}

void
p9_channel_release(struct p9_channel *c)
{
	spin_lock(&lock);
	c->in_use = false;
	spin_unlock(&lock);
}
