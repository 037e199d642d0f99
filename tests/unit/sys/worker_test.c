/*
 * worker - reports, ends, and what a confined process cannot do
 *
 * A body cannot use cmocka (it must not return into the test): it tells what it saw in a line of
 * its report.
 */
#include "unit/sys/support.h"

#include "base/digest.h"
#include "sys/log.h"
#include "sys/worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Starts the worker, reads its report to the end, waits; returns the wait status. */
static int run_worker(const struct worker_options *options, char *report, size_t size)
{
    struct worker worker = WORKER_NONE;
    struct err err = {""};
    size_t used = 0;
    int status = -1;
    assert_int_equal(worker_start(options, &worker, &err), RC_OK);
    for (;;) {
        struct pollfd ready = {.fd = worker.report_fd, .events = POLLIN};
        assert_true(poll(&ready, 1, 20000) == 1);
        ssize_t got = read(worker.report_fd, report + used, size - 1 - used);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    report[used] = '\0';
    assert_int_equal(worker_wait(&worker, &status, NULL), RC_OK);
    worker_release(&worker);
    return status;
}

static void say(int fd, const char *what, long value)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%s=%ld ", what, value);
    ssize_t wrote = write(fd, line, (size_t)len);
    (void)wrote;
}

static int report_and_exit(void *ctx, int report_fd)
{
    const int *value = ctx;
    say(report_fd, "ctx", *value);
    return 7;
}

static void worker_start__report_and_exit_status__arrive(void **state)
{
    (void)state;
    char report[256];
    char text[WORKER_END_BYTES];
    int value = 42;
    int before = open_descriptors();
    struct worker_options options = {.name = "pr-test", .body = report_and_exit, .ctx = &value};
    int status = run_worker(&options, report, sizeof report);
    assert_string_equal(report, "ctx=42 ");
    assert_string_equal(worker_end_text(status, text), "exit 7");
    assert_int_equal(open_descriptors(), before);
}

static int die(void *ctx, int report_fd)
{
    (void)ctx;
    say(report_fd, "alive", 1);
    (void)raise(SIGKILL);
    return 0;
}

static int abort_itself(void *ctx, int report_fd)
{
    (void)ctx;
    (void)report_fd;
    abort();
}

static void worker_start__death_by_signal__is_seen(void **state)
{
    (void)state;
    char report[256];
    char text[WORKER_END_BYTES];
    struct worker_options options = {.name = "pr-test", .body = die};
    int status = run_worker(&options, report, sizeof report);
    assert_string_equal(report, "alive=1 ");
    assert_string_equal(worker_end_text(status, text), "killed by signal 9 (Killed)");
    options.body = abort_itself;
    status = run_worker(&options, report, sizeof report);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_string_equal(worker_end_text(-1, text), "ended, nobody knows how");
}

static int wait_for_ever(void *ctx, int report_fd)
{
    (void)ctx;
    say(report_fd, "waiting", 1);
    while (pause() != 0) {
    }
    return 0;
}

static void worker_kill__running__ends_it(void **state)
{
    (void)state;
    struct worker worker = WORKER_NONE;
    struct worker_options options = {.name = "pr-test", .body = wait_for_ever};
    int status = 0;
    assert_int_equal(worker_start(&options, &worker, NULL), RC_OK);
    worker_kill(&worker);
    assert_int_equal(worker_wait(&worker, &status, NULL), RC_OK);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    worker_kill(&worker); /* ended already */
    worker_release(&worker);
    worker_release(&worker);
}

/* What a body can open: errno of the attempt, 0 for success */
static long try_open(int dirfd, const char *name, int flags)
{
    int fd = openat(dirfd, name, flags | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    (void)close(fd);
    return 0;
}

struct dirs {
    int readable;
    int writable;
    int other;
};

static int try_files(void *ctx, int report_fd)
{
    const struct dirs *dirs = ctx;
    say(report_fd, "passwd", try_open(AT_FDCWD, "/etc/passwd", O_RDONLY));
    say(report_fd, "read", try_open(dirs->readable, "file", O_RDONLY));
    say(report_fd, "write", try_open(dirs->readable, "file", O_WRONLY));
    say(report_fd, "truncate", try_open(dirs->readable, "file", O_WRONLY | O_TRUNC));
    say(report_fd, "create-in-read", try_open(dirs->readable, "new", O_WRONLY | O_CREAT));
    say(report_fd, "create", try_open(dirs->writable, "new", O_RDWR | O_CREAT));
    say(report_fd, "other", try_open(dirs->other, "file", O_RDONLY));
    say(report_fd, "up", try_open(dirs->writable, "../other/file", O_RDONLY));
    say(report_fd, "mkdir", mkdirat(dirs->writable, "sub", 0700) == 0 ? 0 : errno);
    say(report_fd, "rename",
        renameat(dirs->writable, "new", dirs->writable, "sub/new") == 0 ? 0 : errno);
    say(report_fd, "unlink", unlinkat(dirs->writable, "sub/new", 0) == 0 ? 0 : errno);
    say(report_fd, "symlink", symlinkat("/etc/passwd", dirs->writable, "link") == 0 ? 0 : errno);
    return 0;
}

static void worker_start__files_outside_its_directories__are_denied(void **state)
{
    struct place *place = *state;
    char report[1024];
    struct dirs dirs;
    static const char *const names[] = {"readable", "writable", "other"};
    int *fds[] = {&dirs.readable, &dirs.writable, &dirs.other};
    skip_unless(worker_probe().landlock_abi >= 3, "this kernel has no landlock, or an old one");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mkdirat(place->fd, names[i], 0700), 0);
        *fds[i] = openat(place->fd, names[i], O_RDONLY | O_DIRECTORY);
        put_text(*fds[i], "file", "text");
    }
    const int keep[] = {dirs.readable, dirs.writable, dirs.other};
    const struct worker_dir may[] = {{dirs.readable, WORKER_READ}, {dirs.writable, WORKER_WRITE}};
    struct worker_options options = {.name = "pr-test",
                                     .keep_fds = keep,
                                     .keep_count = 3,
                                     .dirs = may,
                                     .dir_count = 2,
                                     .body = try_files,
                                     .ctx = &dirs};
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
    char expected[1024];
    (void)snprintf(
        expected, sizeof expected,
        "passwd=%d read=0 write=%d truncate=%d create-in-read=%d create=0 other=%d up=%d "
        "mkdir=0 rename=0 unlink=0 symlink=%d ",
        EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, EPERM);
    assert_string_equal(report, expected);
    assert_string_equal(text_of(place->fd, "readable/file"), "text");
    for (int i = 0; i < 3; i++) {
        (void)close(*fds[i]);
    }
}

static int try_calls(void *ctx, int report_fd)
{
    (void)ctx;
    char *const arguments[] = {NULL};
    say(report_fd, "socket", socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno);
    say(report_fd, "unix", socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno);
    say(report_fd, "exec", execve("/bin/true", arguments, arguments) == 0 ? 0 : errno);
    say(report_fd, "fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 ? 0 : errno);
    say(report_fd, "namespace",
        syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0 ? 0 : errno);
    say(report_fd, "unshare", unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
    say(report_fd, "ptrace", syscall(SYS_ptrace, 0, 0, 0, 0) == 0 ? 0 : errno);
    say(report_fd, "kill-parent", kill(getppid(), 0) == 0 ? 0 : errno);
    say(report_fd, "tgkill-parent", syscall(SYS_tgkill, getppid(), getppid(), 0) == 0 ? 0 : errno);
    say(report_fd, "new-privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say(report_fd, "dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    struct rlimit core = {1, 1};
    (void)getrlimit(RLIMIT_CORE, &core);
    say(report_fd, "core", (long)core.rlim_max);
    char hex[SHA256_HEX_BYTES];
    sha256_hex("abc", 3, hex);
    say(report_fd, "digest", strncmp(hex, "ba7816bf", 8));
    return 0;
}

static void worker_start__sockets_programs_tracing__are_denied(void **state)
{
    (void)state;
    char report[1024];
    char expected[1024];
    skip_unless(worker_probe().has_seccomp, "this kernel has no seccomp filters");
    struct worker_options options = {.name = "pr-test", .body = try_calls};
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
    static const char *const denied[] = {"socket", "unix",        "exec",
                                         "fork",   "namespace",   "unshare",
                                         "ptrace", "kill-parent", "tgkill-parent"};
    size_t used = 0;
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++) {
        used +=
            (size_t)snprintf(expected + used, sizeof expected - used, "%s=%d ", denied[i], EPERM);
    }
    (void)snprintf(expected + used, sizeof expected - used,
                   "new-privs=1 dumpable=0 core=0 digest=0 ");
    assert_string_equal(report, expected);
}

static int try_network(void *ctx, int report_fd)
{
    (void)ctx;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    say(report_fd, "socket", fd >= 0 ? 0 : errno);
    say(report_fd, "listen", listen(fd, 1) == 0 ? 0 : errno);
    say(report_fd, "inet6", socket(AF_INET6, SOCK_STREAM, 0) >= 0 ? 0 : errno);
    say(report_fd, "netlink", socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : errno);
    say(report_fd, "unix", socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno);
    return 0;
}

static void worker_start__may_connect__has_internet_sockets_but_no_listen(void **state)
{
    (void)state;
    char report[256];
    char expected[128];
    skip_unless(worker_probe().has_seccomp, "this kernel has no seccomp filters");
    struct worker_options options = {.name = "pr-test", .body = try_network, .may_connect = true};
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
    (void)snprintf(expected, sizeof expected, "socket=0 listen=%d inet6=0 netlink=0 unix=%d ",
                   EPERM, EAFNOSUPPORT);
    assert_string_equal(report, expected);
}

/* Nobody listens there: what is refused by the peer was allowed to knock. */
static int try_connect(int port)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int rc = connect(fd, (const struct sockaddr *)&peer, sizeof peer);
    int code = rc == 0 ? 0 : errno;
    (void)close(fd);
    return code;
}

static int try_ports(void *ctx, int report_fd)
{
    const int *ports = ctx;
    say(report_fd, "ours", try_connect(ports[0]));
    say(report_fd, "names", try_connect(53) == EACCES ? EACCES : 0);
    say(report_fd, "other", try_connect(ports[1]));
    return 0;
}

/* A port that is free now, bound without listening so that nobody takes it meanwhile */
static int bind_port(int *out_fd)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t len = sizeof own;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *out_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*out_fd, (const struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(getsockname(*out_fd, (struct sockaddr *)&own, &len), 0);
    return ntohs(own.sin_port);
}

static void worker_start__connect_port__is_the_only_one(void **state)
{
    (void)state;
    char report[256];
    char expected[128];
    int fds[2];
    skip_unless(worker_probe().landlock_abi >= 4, "this kernel's landlock knows no ports");
    int ports[2] = {bind_port(&fds[0]), bind_port(&fds[1])};
    struct worker_options options = {.name = "pr-test",
                                     .body = try_ports,
                                     .ctx = ports,
                                     .may_connect = true,
                                     .connect_port = (uint16_t)ports[0]};
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
    (void)snprintf(expected, sizeof expected, "ours=%d names=0 other=%d ", ECONNREFUSED, EACCES);
    assert_string_equal(report, expected);
    options.connect_port = 0;
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
    (void)snprintf(expected, sizeof expected, "ours=%d names=%d other=%d ", EACCES, EACCES, EACCES);
    assert_string_equal(report, expected);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void *thread_body(void *ctx)
{
    atomic_fetch_add((_Atomic int *)ctx, 1);
    return malloc(100000); /* an arena of its own */
}

static int use_threads(void *ctx, int report_fd)
{
    (void)ctx;
    _Atomic int count = 0;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        if (pthread_create(&threads[i], NULL, thread_body, &count) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < 4; i++) {
        void *memory = NULL;
        (void)pthread_join(threads[i], &memory);
        free(memory);
    }
    say(report_fd, "threads", count);
    return 0;
}

static void worker_start__threads__are_usable(void **state)
{
    (void)state;
    char report[256];
    struct worker_options options = {
        .name = "pr-test", .body = use_threads, .memory_bytes = (uint64_t)256 << 20};
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
    assert_string_equal(report, "threads=4 ");
}

static int list_descriptors(void *ctx, int report_fd)
{
    const int *keep = ctx;
    long open_count = 0;
    for (int fd = 0; fd < 1000; fd++) {
        open_count += fcntl(fd, F_GETFD) >= 0;
    }
    say(report_fd, "open", open_count);
    say(report_fd, "kept", fcntl(keep[0], F_GETFD) >= 0 && fcntl(keep[1], F_GETFD) >= 0);
    struct stat null_status;
    struct stat out_status;
    (void)stat("/dev/null", &null_status);
    say(report_fd, "silent",
        fstat(1, &out_status) == 0 && out_status.st_rdev == null_status.st_rdev);
    return 0;
}

/* 0, 1, 2, the report and the two kept ones, given in no order */
static void worker_start__other_descriptors__are_closed(void **state)
{
    struct place *place = *state;
    char report[256];
    int spare = dup(place->fd);
    int high = fcntl(place->fd, F_DUPFD_CLOEXEC, 300);
    int low = dup(place->fd);
    int keep[] = {high, low};
    struct worker_options options = {.name = "pr-test",
                                     .keep_fds = keep,
                                     .keep_count = 2,
                                     .body = list_descriptors,
                                     .ctx = keep};
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
    assert_string_equal(report, "open=6 kept=1 silent=1 ");
    (void)close(spare);
    (void)close(high);
    (void)close(low);
}

static void worker_start__bad_options__are_refused(void **state)
{
    (void)state;
    int keep[] = {-1};
    struct worker worker = WORKER_NONE;
    struct worker_options options = {
        .name = "pr-test", .keep_fds = keep, .keep_count = 1, .body = report_and_exit};
    assert_int_equal(worker_start(&options, &worker, NULL), RC_RANGE);
    options.keep_count = 0;
    options.dir_count = WORKER_DIRS_MAX + 1;
    assert_int_equal(worker_start(&options, &worker, NULL), RC_RANGE);
    /* Out of descriptors: try again later, nothing left open. */
    int before = open_descriptors();
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit tight = {4, old.rlim_max};
    options.dir_count = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    enum rc rc = worker_start(&options, &worker, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(rc, RC_TEMP);
    assert_int_equal(open_descriptors(), before);
    /* A directory that is none: the child says so and ends with the status of a bad set-up. */
    if (worker_probe().landlock_abi > 0) {
        char report[16];
        int log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        log_set_fd(log_fd);
        const struct worker_dir dir = {9999, WORKER_READ};
        options.dirs = &dir;
        options.dir_count = 1;
        int status = run_worker(&options, report, sizeof report);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_SETUP);
        log_set_fd(2);
        (void)close(log_fd);
    }
}

static int eat_memory(void *ctx, int report_fd)
{
    (void)ctx;
    void *volatile small = malloc(1 << 20); /* volatile: or the compiler leaves the calls out */
    void *volatile large = malloc((size_t)512 << 20);
    say(report_fd, "small", small != NULL);
    say(report_fd, "large", large != NULL);
    free(large);
    free(small);
    return 0;
}

static void worker_start__memory_limit__holds(void **state)
{
    (void)state;
    char report[64];
    struct worker_options options = {
        .name = "pr-test", .body = eat_memory, .memory_bytes = (uint64_t)128 << 20};
    assert_int_equal(run_worker(&options, report, sizeof report), 0);
#if defined(__SANITIZE_ADDRESS__)
    assert_string_equal(report, "small=1 large=1 "); /* no limit under a sanitizer */
#else
    assert_string_equal(report, "small=1 large=0 ");
#endif
}

/* A parent starts a worker, hands us its pidfd and dies: the worker must die too. */
static void worker_start__parent_killed__worker_dies(void **state)
{
    (void)state;
    int pair[2];
    int alive[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pipe(alive), 0); /* the worker holds its write end: closed when it is gone */
    pid_t parent = fork();
    if (parent == 0) {
        struct worker worker = WORKER_NONE;
        char byte = 0;
        struct worker_options options = {
            .name = "pr-test", .keep_fds = &alive[1], .keep_count = 1, .body = wait_for_ever};
        bool is_started = worker_start(&options, &worker, NULL) == RC_OK;
        struct pollfd ready = {.fd = worker.report_fd, .events = POLLIN};
        is_started = is_started && poll(&ready, 1, 10000) == 1; /* it is inside its body */
        byte = is_started ? 'y' : 'n';
        ssize_t wrote = write(pair[1], &byte, 1);
        (void)wrote;
        for (;;) {
            (void)pause();
        }
    }
    (void)close(alive[1]);
    char answer = 0;
    assert_int_equal(read(pair[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    struct pollfd gone = {.fd = alive[0], .events = POLLIN};
    assert_int_equal(poll(&gone, 1, 10000), 1);
    assert_true((gone.revents & POLLHUP) != 0);
    (void)close(alive[0]);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worker_start__report_and_exit_status__arrive),
        cmocka_unit_test(worker_start__death_by_signal__is_seen),
        cmocka_unit_test(worker_kill__running__ends_it),
        with_place(worker_start__files_outside_its_directories__are_denied),
        cmocka_unit_test(worker_start__sockets_programs_tracing__are_denied),
        cmocka_unit_test(worker_start__may_connect__has_internet_sockets_but_no_listen),
        cmocka_unit_test(worker_start__connect_port__is_the_only_one),
        cmocka_unit_test(worker_start__threads__are_usable),
        with_place(worker_start__other_descriptors__are_closed),
        cmocka_unit_test(worker_start__bad_options__are_refused),
        cmocka_unit_test(worker_start__memory_limit__holds),
        cmocka_unit_test(worker_start__parent_killed__worker_dies),
    };
    return cmocka_run_group_tests_name("sys/worker", tests, NULL, NULL);
}
