// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

struct link_parcel {
	struct link_parcel *prev, *next;
	size_t length;
	char bytes[]; /* LINK_QUEUE_HEADROOM, then the message */
};

static size_t parcel_cost(size_t length)
{
	return sizeof(struct link_parcel) + LINK_QUEUE_HEADROOM + length;
}

int link_queue_push(struct link_queue *queue, const char *data, size_t length)
{
	size_t cost = parcel_cost(length);
	struct link_parcel *parcel;

	if (cost > queue->limit || queue->bytes > queue->limit - cost)
		return -ENOBUFS;
	parcel = malloc(cost);
	if (!parcel)
		return -ENOMEM;
	parcel->length = length;
	memcpy(parcel->bytes + LINK_QUEUE_HEADROOM, data, length);
	DL_APPEND(queue->parcels, parcel);
	queue->bytes += cost;
	return 0;
}

int link_queue_push_json(struct link_queue *queue, cJSON *message)
{
	char *text = cJSON_PrintUnformatted(message);
	int result = text ? link_queue_push(queue, text, strlen(text)) : -ENOMEM;

	cJSON_free(text);
	cJSON_Delete(message);
	return result;
}

bool link_queue_next(const struct link_queue *queue, size_t limit, struct link_piece *ret_piece)
{
	const struct link_parcel *parcel = queue->parcels;
	size_t left, length;

	if (!parcel)
		return false;
	left = parcel->length - queue->sent;
	length = left < limit ? left : limit;
	*ret_piece = (struct link_piece){
		.data = parcel->bytes + LINK_QUEUE_HEADROOM + queue->sent,
		.length = length,
		.remaining = left - length,
		.first = queue->sent == 0,
		.final = length == left,
	};
	return true;
}

static void parcel_remove(struct link_queue *queue, struct link_parcel *parcel)
{
	DL_DELETE(queue->parcels, parcel);
	queue->bytes -= parcel_cost(parcel->length);
	queue->sent = 0;
	free(parcel);
}

void link_queue_advance(struct link_queue *queue, size_t length)
{
	queue->sent += length;
	if (queue->sent == queue->parcels->length)
		parcel_remove(queue, queue->parcels);
}

void link_queue_free(struct link_queue *queue)
{
	while (queue->parcels)
		parcel_remove(queue, queue->parcels);
}
