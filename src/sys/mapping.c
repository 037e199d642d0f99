/*
 * mapping - a file's bytes as memory, to be read, which cannot end the process
 *
 * Contract in the header. The handler looks the address up among the open mappings. It calls mmap,
 * which POSIX does not list for handlers; on Linux it is a system call and nothing else.
 */
#include "sys/mapping.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct mapping {
    char *bytes;
    size_t len;
    atomic_bool is_broken;
};

static struct mapping *_Atomic open_mappings[MAPPINGS_MAX];

static struct mapping *mapping_at(uintptr_t address)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct mapping *mapping = atomic_load(&open_mappings[i]);
        if (mapping != NULL && address - (uintptr_t)mapping->bytes < mapping->len) {
            return mapping;
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
    struct mapping *mapping = mapping_at(address);
    (void)context;
    if (mapping != NULL) { /* first: another thread may read the zeros before this one goes on */
        atomic_store(&mapping->is_broken, true);
    }
    if (mapping == NULL || mmap((char *)info->si_addr - address % page_bytes, page_bytes, PROT_READ,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        (void)signal(number, SIG_DFL); /* it comes again, and ends the process */
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

static bool note(struct mapping *mapping)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct mapping *none = NULL;
        if (atomic_compare_exchange_strong(&open_mappings[i], &none, mapping)) {
            return true;
        }
    }
    return false;
}

enum rc mapping_open(int fd, size_t len, struct mapping **out, struct err *err)
{
    struct mapping *mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    take_signal();
    void *bytes = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        free(mapping);
        return err_set(err, RC_IO, "a file cannot be mapped: %s", strerror(errno));
    }
    mapping->bytes = bytes;
    mapping->len = len;
    if (!note(mapping)) {
        mapping_free(mapping);
        return err_set(err, RC_RANGE, "more than %d files are mapped", MAPPINGS_MAX);
    }
    *out = mapping;
    return RC_OK;
}

void mapping_free(struct mapping *mapping)
{
    if (mapping == NULL) {
        return;
    }
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct mapping *here = mapping;
        (void)atomic_compare_exchange_strong(&open_mappings[i], &here, NULL);
    }
    (void)munmap(mapping->bytes, mapping->len);
    free(mapping);
}

const char *mapping_bytes(const struct mapping *mapping)
{
    return mapping->bytes;
}

bool mapping_is_broken(const struct mapping *mapping)
{
    return atomic_load(&mapping->is_broken);
}

void mapping_forget(const struct mapping *mapping)
{
    (void)madvise(mapping->bytes, mapping->len, MADV_DONTNEED);
}
