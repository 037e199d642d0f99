/*
 * worker - a confined process for one piece of work, by fork without exec
 *
 * Called from a single-threaded process. The child has the same memory image (configuration,
 * templates) and then:
 *   - dies with its parent (PDEATHSIG), is named `name`, has signals as at program start (but
 *     SIGPIPE ignored), leaves no core dump, cannot be traced
 *   - holds only keep_fds, the report descriptor and stderr; 0 and 1 are /dev/null
 *   - has no capability and cannot get one (no_new_privs)
 *   - landlock: opens files only below `dirs`
 *   - seccomp: no sockets, no programs, no forks, no tracing, no mounts, no keys, no signals to
 *     others, no symlinks
 * Refused calls give EPERM or EACCES. Threads and file work are usable. What the kernel lacks is
 * logged once (event "confinement-missing") and the worker runs without it.
 *
 * Not usable in the body: getpwnam and the like, iconv_open, dlopen, programs, new sockets (but see
 * may_connect): load what needs files before. libcrypto is initialised before the fork.
 */
#ifndef POSTROOM_SYS_WORKER_H
#define POSTROOM_SYS_WORKER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    WORKER_DIRS_MAX = 64,
    WORKER_FDS_MAX = 4096,
    WORKER_END_BYTES = 64,
    WORKER_EXIT_SETUP = 120 /* exit status: it could not be set up as asked; why is in the log */
};

enum worker_access {
    WORKER_READ, /* open and list */
    WORKER_WRITE /* also make, write, rename and remove below it */
};

struct worker_dir {
    int dirfd; /* not kept open for the body unless it is in keep_fds too */
    enum worker_access access;
};

struct worker_options {
    const char *name; /* of the process, for ps; cut at 15 bytes */
    const int *keep_fds;
    size_t keep_count; /* at most WORKER_FDS_MAX */
    const struct worker_dir *dirs;
    size_t dir_count;      /* at most WORKER_DIRS_MAX; 0: no file can be opened by name */
    uint64_t memory_bytes; /* RLIMIT_DATA (heap and stacks); 0: no limit. Not under a sanitizer. */
    int nice;              /* added to ours, 0..19 */
    bool may_connect; /* a send worker: sockets and connect, still no listen and accept; it also
                         reads the resolver's files where `dirs` names their directory */
    uint16_t connect_port; /* with may_connect: TCP to this port, and for names, alone; 0: to none.
                              Where the kernel's landlock knows no ports: to any */
    /* body - the work; returns the exit status, 0..119. report_fd: pipe to the parent, blocking. */
    int (*body)(void *ctx, int report_fd);
    void *ctx; /* the child's copy */
};

struct worker {
    pid_t pid;
    int pidfd;     /* readable when it has ended (loop_child) */
    int report_fd; /* what the body writes; non-blocking; end of file when it has ended */
};

#define WORKER_NONE ((struct worker){-1, -1, -1})

/*
 * worker_start - fork and confine, then run the body in the child
 * Returns RC_OK; RC_TEMP no process or descriptor to be had; RC_NOMEM; RC_RANGE too many
 *         descriptors or directories, or one to keep that is not open (-1)
 * Cost    about 0.3 ms
 */
enum rc worker_start(const struct worker_options *options, struct worker *out,
                     struct err *err) MUST_CHECK;

/* worker_release - close pidfd and report_fd; the process itself is left alone */
void worker_release(struct worker *worker);

/* worker_kill - SIGKILL by pidfd: never hits another process. Ended already is no fault. */
void worker_kill(const struct worker *worker);

/* worker_wait - wait for the end; status as waitpid(2). For tests and commands; the daemon uses
 * loop_child(). */
enum rc worker_wait(const struct worker *worker, int *out_status, struct err *err) MUST_CHECK;

/* worker_end_text - "exit 3", "killed by signal 11 (Segmentation fault)" into out; returns out */
char *worker_end_text(int status, char out[WORKER_END_BYTES]);

struct worker_confinement {
    int landlock_abi; /* 0: the kernel has none */
    bool has_seccomp;
};

/* worker_probe - what this kernel offers; looks once, logs what is missing at the first call */
struct worker_confinement worker_probe(void);

#endif
