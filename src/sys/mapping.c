/*
 * mapping - a file's bytes as memory, to be read, which cannot end the process
 *
 * Contract in the header. The handler looks the address up in a table of the open mappings. It
 * calls mmap, which POSIX does not list for handlers; on Linux it is a system call and nothing
 * else.
 */
#include "sys/mapping.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* In a table that stays: the handler may look at any of them at any time. */
struct mapping {
    char *_Atomic bytes; /* NULL: none */
    size_t len;
    atomic_bool is_taken;
    atomic_bool is_broken;
};

static struct mapping table[MAPPINGS_MAX];

static struct mapping *mapping_at(uintptr_t address)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        uintptr_t at = (uintptr_t)atomic_load(&table[i].bytes);
        if (at != 0 && address - at < table[i].len) {
            return &table[i];
        }
    }
    return NULL;
}

/* A page of zeros takes the place of the one that is gone; the instruction is then done again. */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    uintptr_t address = (uintptr_t)info->si_addr;
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    bool is_fault = info->si_code > 0; /* else somebody sent it */
    struct mapping *mapping = is_fault ? mapping_at(address) : NULL;
    (void)context;
    if (mapping != NULL) { /* first: another thread may read the zeros before this one goes on */
        atomic_store(&mapping->is_broken, true);
    }
    if (mapping == NULL || mmap((char *)info->si_addr - address % page_bytes, page_bytes, PROT_READ,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        (void)signal(number, SIG_DFL);
        if (!is_fault) {
            (void)raise(number); /* a fault comes again by itself */
        }
    }
    errno = saved;
}

/* With each mapping: others may have set the signal meanwhile. */
static void take_signal(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL);
}

static struct mapping *take_free(void)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        bool none = false;
        if (atomic_compare_exchange_strong(&table[i].is_taken, &none, true)) {
            return &table[i];
        }
    }
    return NULL;
}

enum rc mapping_open(int fd, size_t len, struct mapping **out, struct err *err)
{
    struct mapping *mapping = take_free();
    if (mapping == NULL) {
        return err_set(err, RC_RANGE, "more than %d files are mapped", MAPPINGS_MAX);
    }
    take_signal();
    void *bytes = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        atomic_store(&mapping->is_taken, false);
        return err_set(err, RC_IO, "a file cannot be mapped: %s", strerror(errno));
    }
    mapping->len = len;
    atomic_store(&mapping->is_broken, false);
    atomic_store(&mapping->bytes, (char *)bytes);
    *out = mapping;
    return RC_OK;
}

void mapping_free(struct mapping *mapping)
{
    if (mapping == NULL) {
        return;
    }
    char *bytes = atomic_exchange(&mapping->bytes, NULL);
    (void)munmap(bytes, mapping->len);
    atomic_store(&mapping->is_taken, false);
}

const char *mapping_bytes(const struct mapping *mapping)
{
    return atomic_load(&mapping->bytes);
}

bool mapping_is_broken(const struct mapping *mapping)
{
    return atomic_load(&mapping->is_broken);
}

void mapping_forget(const struct mapping *mapping)
{
    (void)madvise(atomic_load(&mapping->bytes), mapping->len, MADV_DONTNEED);
}
