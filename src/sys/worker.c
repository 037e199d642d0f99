/*
 * worker - fork, confine, run, report
 */
#include "sys/worker.h"

#include "base/digest.h"
#include "sys/calls.h"
#include "sys/confine.h"
#include "sys/fs.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

struct worker_confinement worker_probe(void)
{
    static struct worker_confinement found;
    static bool is_known;
    if (!is_known) {
        found.landlock_abi = confine_landlock_abi();
        found.has_seccomp = confine_has_seccomp();
        is_known = true;
        if (found.landlock_abi == 0) {
            log_event(LOG_LEVEL_WARNING, "confinement-missing", NULL,
                      "what=landlock effect=\"workers can open every file of this user\"");
        }
        if (!found.has_seccomp) {
            log_event(LOG_LEVEL_WARNING, "confinement-missing", NULL,
                      "what=seccomp effect=\"workers can use sockets and programs\"");
        }
    }
    return found;
}

/* ---- in the child ---- */

static int by_number(const void *a, const void *b)
{
    const int *left = a;
    const int *right = b;
    return (*left > *right) - (*left < *right);
}

/* Closes every descriptor from 3 on but the sorted ones in keep. */
static enum rc close_others(const int *keep, size_t count, struct err *err)
{
    unsigned int from = 3;
    for (size_t i = 0; i <= count; i++) {
        unsigned int until =
            i < count ? (unsigned int)keep[i] : UINT_MAX; /* kept, or past the last */
        if (until > from || i == count) {
            unsigned int last = i < count ? until - 1 : UINT_MAX;
            if (syscall(SYS_close_range, from, last, 0) != 0) {
                return sys_err(err, errno, "close what is not the worker's");
            }
        }
        if (i < count && until >= from) {
            from = until + 1;
        }
    }
    return RC_OK;
}

static void reset_signals(void)
{
    static const int numbers[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGCHLD,
                                  SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ};
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaction(numbers[i], &action, NULL);
    }
    action.sa_handler = SIG_IGN; /* a peer that hangs up is EPIPE, not death */
    (void)sigaction(SIGPIPE, &action, NULL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static enum rc limit_resources(const struct worker_options *options, struct err *err)
{
    if (options->nice > 0 &&
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + options->nice) != 0) {
        return sys_err(err, errno, "nice");
    }
    if (options->memory_bytes != 0 && !HAS_SANITIZER) {
        struct rlimit limit = {options->memory_bytes, options->memory_bytes};
        if (setrlimit(RLIMIT_DATA, &limit) != 0) {
            return sys_err(err, errno, "limit memory");
        }
    }
    return RC_OK;
}

/* Standard input and output lead nowhere; what was printed before the fork cannot come out twice.
 */
static enum rc silence_standard_streams(const struct worker_options *options, struct err *err)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        return sys_err(err, errno, "open /dev/null");
    }
    for (int fd = 0; fd <= 1; fd++) {
        bool is_kept = false;
        for (size_t i = 0; i < options->keep_count; i++) {
            is_kept = is_kept || options->keep_fds[i] == fd;
        }
        if (!is_kept && null_fd != fd && dup2(null_fd, fd) < 0) {
            return sys_err(err, errno, "dup2");
        }
    }
    if (null_fd > 1) {
        fs_drop(&null_fd);
    }
    return RC_OK;
}

/* keep: room for keep_count + 1 numbers, from before the fork (no allocation in the child) */
static enum rc set_up(const struct worker_options *options, pid_t parent, int report_fd, int *keep,
                      struct err *err)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%s", options->name);
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    reset_signals();
    enum rc rc = limit_resources(options, err);
    if (rc == RC_OK) {
        rc = silence_standard_streams(options, err);
    }
    if (rc == RC_OK) {
        rc = confine_privileges(err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    /* After the change of capabilities, which may clear it; then ask whether the parent had died
     * before. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return sys_err(err, errno, "die with the parent");
    }
    if (getppid() != parent) {
        return err_set(err, RC_GONE, "the parent has ended");
    }
    struct worker_confinement kernel = worker_probe();
    if (kernel.landlock_abi > 0) {
        rc = confine_files(kernel.landlock_abi, options->dirs, options->dir_count,
                           options->may_connect ? options->connect_port : 0, err);
    }
    if (rc == RC_OK) {
        for (size_t i = 0; i < options->keep_count; i++) {
            keep[i] = options->keep_fds[i];
        }
        keep[options->keep_count] = report_fd;
        qsort(keep, options->keep_count + 1, sizeof *keep, by_number);
        rc = close_others(keep, options->keep_count + 1, err);
    }
    if (rc == RC_OK && kernel.has_seccomp) {
        rc = confine_calls(options->may_connect, err);
    }
    return rc;
}

_Noreturn static void run_child(const struct worker_options *options, pid_t parent, int report_fd,
                                int *keep)
{
    struct err err = {""};
    enum rc rc = set_up(options, parent, report_fd, keep, &err);
    if (rc != RC_OK) {
        log_event(LOG_LEVEL_ERROR, "worker-set-up", options->name, "error=\"%s\"", err.text);
        _exit(WORKER_EXIT_SETUP);
    }
    /* _exit: no buffer of the parent is flushed, no handler of the parent runs a second time. */
    _exit(options->body(options->ctx, report_fd));
}

/* ---- in the parent ---- */

static enum rc check_options(const struct worker_options *options, struct err *err)
{
    if (options->keep_count > WORKER_FDS_MAX || options->dir_count > WORKER_DIRS_MAX) {
        return err_set(err, RC_RANGE, "worker %s: more than %d descriptors or %d directories",
                       options->name, (int)WORKER_FDS_MAX, (int)WORKER_DIRS_MAX);
    }
    for (size_t i = 0; i < options->keep_count; i++) {
        if (options->keep_fds[i] < 0) {
            return err_set(err, RC_RANGE, "worker %s: a descriptor to keep is not open",
                           options->name);
        }
    }
    return RC_OK;
}

/* The worker's end must not be one of the standard streams, which it loses. */
static enum rc open_report(int ends[2], struct err *err)
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ends[0] = ends[1] = -1;
        return sys_err(err, errno, "pipe for a worker");
    }
    for (int i = 0; i < 2; i++) {
        if (ends[i] <= STDERR_FILENO) {
            int higher = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
            if (higher < 0) {
                return sys_err(err, errno, "pipe for a worker");
            }
            (void)close(ends[i]);
            ends[i] = higher;
        }
    }
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        return sys_err(err, errno, "pipe for a worker");
    }
    return RC_OK;
}

/* What reads files or asks the kernel on first use does it before the door is shut. */
static void warm_up(void)
{
    static bool is_warm;
    if (!is_warm) {
        char hex[SHA256_HEX_BYTES];
        sha256_hex("", 0, hex);
        (void)worker_probe();
        is_warm = true;
    }
}

enum rc worker_start(const struct worker_options *options, struct worker *out, struct err *err)
{
    enum rc rc = check_options(options, err);
    if (rc != RC_OK) {
        return rc;
    }
    warm_up();
    int *keep = calloc(options->keep_count + 1, sizeof *keep);
    if (keep == NULL) {
        return err_set(err, RC_NOMEM, "worker %s: no memory", options->name);
    }
    int ends[2] = {-1, -1};
    struct worker worker = WORKER_NONE;
    rc = open_report(ends, err);
    if (rc == RC_OK) {
        pid_t parent = getpid();
        worker.pid = fork();
        if (worker.pid == 0) {
            run_child(options, parent, ends[1], keep);
        }
        if (worker.pid < 0) {
            rc = sys_err(err, errno, "fork worker %s", options->name);
        }
    }
    if (rc == RC_OK) {
        /* Safe after the fork: the number stays its own until we wait for it. */
        worker.pidfd = (int)syscall(SYS_pidfd_open, worker.pid, 0);
        if (worker.pidfd < 0) {
            rc = sys_err(err, errno, "pidfd of worker %s", options->name);
            (void)kill(worker.pid, SIGKILL);
            (void)waitpid(worker.pid, NULL, 0);
        }
    }
    free(keep);
    fs_drop(&ends[1]);
    if (rc != RC_OK) {
        fs_drop(&ends[0]);
        return rc == RC_NOMEM ? rc : RC_TEMP;
    }
    worker.report_fd = ends[0];
    *out = worker;
    return RC_OK;
}

void worker_release(struct worker *worker)
{
    fs_drop(&worker->pidfd);
    fs_drop(&worker->report_fd);
    worker->pid = -1;
}

void worker_kill(const struct worker *worker)
{
    if (worker->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0);
    }
}

enum rc worker_wait(const struct worker *worker, int *out_status, struct err *err)
{
    pid_t ended = -1;
    do {
        ended = waitpid(worker->pid, out_status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended == worker->pid ? RC_OK : sys_err(err, errno, "wait for a worker");
}

char *worker_end_text(int status, char out[WORKER_END_BYTES])
{
    if (status == -1) {
        (void)snprintf(out, WORKER_END_BYTES, "ended, nobody knows how");
    } else if (WIFSIGNALED(status)) {
        const char *name = sigdescr_np(WTERMSIG(status));
        (void)snprintf(out, WORKER_END_BYTES, "killed by signal %d (%s)", WTERMSIG(status),
                       name == NULL ? "unknown" : name);
    } else {
        (void)snprintf(out, WORKER_END_BYTES, "exit %d", WEXITSTATUS(status));
    }
    return out;
}
