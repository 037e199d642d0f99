/*
 * fault - make the N-th call of one kind fail, for unit tests of any room
 *
 * Not used by the programs: the linker leaves it out of them. Not thread-safe.
 *
 *     fault_at(FAULT_FSYNC, 2, EIO, FAULT_ONCE);
 *     ... the act under test ...
 *     fault_clear();
 */
#ifndef POSTROOM_SYS_FAULT_H
#define POSTROOM_SYS_FAULT_H

enum fault_call {
    FAULT_OPEN, /* openat and open_beneath */
    FAULT_READ,
    FAULT_WRITE, /* write and pwrite */
    FAULT_FSYNC, /* fsync and fdatasync */
    FAULT_SYNCFS,
    FAULT_CLOSE, /* the descriptor is closed all the same, as Linux does */
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_LINK,
    FAULT_MKDIR,
    FAULT_TRUNCATE,
    FAULT_ALLOCATE,
    FAULT_CALLS
};

enum fault_times {
    FAULT_ONCE,   /* the N-th call alone */
    FAULT_FOREVER /* the N-th and all that follow */
};

/*
 * fault_at - the nth (from 1) call from now on fails with error_number, without being made
 * error_number 0 for FAULT_READ and FAULT_WRITE: the call is made with half its length, a short
 * read or write. Calls of other kinds stay real; one plan for each kind.
 */
void fault_at(enum fault_call call, unsigned int nth, int error_number, enum fault_times times);

/* fault_count - calls of that kind since fault_watch(), fault_at() or fault_clear() */
unsigned int fault_count(enum fault_call call);

/* fault_watch - count calls without failing any; counts start at 0 */
void fault_watch(void);

/* fault_clear - the real calls again, counts 0 */
void fault_clear(void);

#endif
