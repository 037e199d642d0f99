/*
 * keyset - a set of byte strings: who is suppressed, which addresses are in quarantine
 *
 * 8 bytes of table for each string at a load of at most 4/5, and the strings themselves in a spill:
 * they leave memory when they grow. A hit is compared in full, so that two people are never taken
 * for one. One thread adds; then any number of threads ask.
 */
#ifndef POSTROOM_AUDIENCE_KEYSET_H
#define POSTROOM_AUDIENCE_KEYSET_H

#include "audience/spill.h"

enum {
    KEYSET_KEY_BYTES_MAX = 1024 * 1024 /* a field's limit */
};

struct keyset {
    uint64_t *slots; /* 0: free; else tag << 40 | (offset of the string + 1) */
    size_t slots_count;
    size_t count;
    size_t memory_bytes; /* bound of the table */
    uint64_t seed;
    struct spill strings; /* u32 length, bytes */
    struct buf scratch;
};

/*
 * keyset_init - empty
 * memory_bytes  bound of table and strings in memory together
 * dir_fd        for strings beyond that; -1: none
 * seed          of the hash: something that whoever wrote the strings cannot know
 */
void keyset_init(struct keyset *set, size_t memory_bytes, int dir_fd, uint64_t seed);
void keyset_release(struct keyset *set);

/*
 * keyset_add - put a string in, once
 * Returns   RC_OK; RC_RANGE the table's memory bound is passed; what spill_add returns
 * Cost      amortised one hash, one cache miss
 */
enum rc keyset_add(struct keyset *set, struct slice key, struct err *err) MUST_CHECK;

/*
 * keyset_has - is it in
 * scratch   of the calling thread
 * Returns   RC_OK with *out; RC_IO strings on disk could not be read; RC_NOMEM
 */
enum rc keyset_has(const struct keyset *set, struct slice key, struct buf *scratch, bool *out,
                   struct err *err) MUST_CHECK;

#endif
