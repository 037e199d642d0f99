/*
 * items - the deliveries on their way, by id
 */
#include "engine/items.h"

#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 1024 };

struct items {
    struct item **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

enum rc items_open(struct items **out, struct err *err)
{
    struct items *items = calloc(1, sizeof *items);
    struct item **buckets = calloc(FIRST_BUCKETS, sizeof(struct item *));
    if (items == NULL || buckets == NULL) {
        free(items);
        free(buckets);
        return err_set(err, RC_NOMEM, "no memory for the list of deliveries");
    }
    items->buckets = buckets;
    items->bucket_count = FIRST_BUCKETS;
    *out = items;
    return RC_OK;
}

void items_free(struct items *items)
{
    if (items == NULL) {
        return;
    }
    for (size_t i = 0; i < items->bucket_count; i++) {
        for (struct item *item = items->buckets[i]; item != NULL;) {
            struct item *next = item->bucket;
            free(item->made);
            free(item);
            item = next;
        }
    }
    free(items->buckets);
    free(items);
}

static struct item **slot_of(const struct items *items, const char *id)
{
    uint64_t hash = hash64(id, strlen(id), 0);
    struct item **slot = &items->buckets[hash & (items->bucket_count - 1)];
    while (*slot != NULL && strcmp((*slot)->id, id) != 0) {
        slot = &(*slot)->bucket;
    }
    return slot;
}

struct item *items_find(const struct items *items, const char *id)
{
    return *slot_of(items, id);
}

/* Doubles the table; without memory the chains only grow longer. */
static void grow(struct items *items)
{
    size_t count = items->bucket_count * 2;
    struct item **buckets = calloc(count, sizeof(struct item *));
    if (buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < items->bucket_count; i++) {
        for (struct item *item = items->buckets[i]; item != NULL;) {
            struct item *next = item->bucket;
            struct item **head = &buckets[hash64(item->id, strlen(item->id), 0) & (count - 1)];
            item->bucket = *head;
            *head = item;
            item = next;
        }
    }
    free(items->buckets);
    items->buckets = buckets;
    items->bucket_count = count;
}

enum rc items_add(struct items *items, const char *id, struct item **out, struct err *err)
{
    struct item **slot = slot_of(items, id);
    if (*slot != NULL) {
        return err_set(err, RC_EXISTS, "%s is there already", id);
    }
    struct item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        return err_set(err, RC_NOMEM, "no memory for a delivery");
    }
    (void)strncpy(item->id, id, sizeof item->id - 1);
    item->work = WORK_ADVANCE;
    item->due_ns = INT64_MAX;
    *slot = item;
    items->count++;
    if (items->count > items->bucket_count) {
        grow(items);
    }
    *out = item;
    return RC_OK;
}

void items_remove(struct items *items, struct item *item)
{
    struct item **slot = slot_of(items, item->id);
    if (*slot == item) {
        *slot = item->bucket;
        items->count--;
        free(item->made);
        free(item);
    }
}

size_t items_count(const struct items *items)
{
    return items->count;
}

void items_each(struct items *items, void (*fn)(void *ctx, struct item *item), void *ctx)
{
    for (size_t i = 0; i < items->bucket_count; i++) {
        for (struct item *item = items->buckets[i]; item != NULL; item = item->bucket) {
            fn(ctx, item);
        }
    }
}

void queue_put(struct item_queue *queue, struct item *item)
{
    item->next = NULL;
    if (queue->last == NULL) {
        queue->first = item;
    } else {
        queue->last->next = item;
    }
    queue->last = item;
    queue->count++;
}

struct item *queue_take(struct item_queue *queue)
{
    struct item *item = queue->first;
    if (item != NULL) {
        queue->first = item->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        item->next = NULL;
        queue->count--;
    }
    return item;
}
