/*
 * share - a clock and a count
 */
#include "channel/share.h"

#define SECOND_NS INT64_C(1000000000)
#define BURST_NS (SECOND_NS / 20)

unsigned int share_part(const struct share *share, unsigned int whole)
{
    uint32_t senders = atomic_load_explicit(&share->senders, memory_order_relaxed);
    unsigned int part = senders > 1 ? whole / senders : whole;
    return part == 0 && whole > 0 ? 1 : part;
}

bool share_take(struct share *share, unsigned int rate, int64_t now_ns)
{
    if (rate == 0) {
        return true;
    }
    int64_t next_ns = atomic_load(&share->next_ns);
    int64_t after_ns = 0;
    do {
        if (now_ns < next_ns) {
            return false;
        }
        int64_t from_ns = next_ns > now_ns - BURST_NS ? next_ns : now_ns - BURST_NS;
        after_ns = from_ns + SECOND_NS / rate;
    } while (!atomic_compare_exchange_weak(&share->next_ns, &next_ns, after_ns));
    return true;
}

int64_t share_next_ns(const struct share *share, unsigned int rate)
{
    return rate == 0 ? 0 : atomic_load(&share->next_ns);
}
