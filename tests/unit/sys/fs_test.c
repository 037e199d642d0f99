/*
 * fs - whole files, appends, copies: results, modes, and every call failing once
 */
#include "unit/sys/support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static void fs_put_durable__new_name__is_there_with_its_mode(void **state)
{
    struct place *place = *state;
    mode_t old = umask(077);
    assert_int_equal(fs_put_durable(place->fd, "a", 0640, "hello", 5, NULL), RC_OK);
    umask(old);
    assert_string_equal(text_of(place->fd, "a"), "hello");
    assert_int_equal(mode_of(place->fd, "a"), 0640);
    assert_int_equal(names_in(place->fd), 1);
}

static void fs_put_durable__name_taken__is_replaced(void **state)
{
    struct place *place = *state;
    put_text(place->fd, "a", "old and longer");
    assert_int_equal(fs_put_durable(place->fd, "a", 0600, "new", 3, NULL), RC_OK);
    assert_string_equal(text_of(place->fd, "a"), "new");
}

static void fs_put_durable__syncs_file_and_directory(void **state)
{
    struct place *place = *state;
    fault_watch();
    assert_int_equal(fs_put_durable(place->fd, "a", 0600, "new", 3, NULL), RC_OK);
    assert_int_equal(fault_count(FAULT_FSYNC), 2);
    fault_watch();
    assert_int_equal(fs_put_volatile(place->fd, "a", 0600, "new", 3, NULL), RC_OK);
    assert_int_equal(fault_count(FAULT_FSYNC), 0);
}

static void fs_put_durable__leftover_of_a_crash__is_written_over(void **state)
{
    struct place *place = *state;
    put_text(place->fd, ".a.tmp", "half");
    assert_int_equal(fs_put_durable(place->fd, "a", 0600, "new", 3, NULL), RC_OK);
    assert_int_equal(names_in(place->fd), 1);
}

static void fs_put_durable__no_name__is_refused(void **state)
{
    struct place *place = *state;
    char longest[FS_NAME_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[FS_NAME_BYTES_MAX + 1] = '\0';
    static const char *const bad[] = {"", ".", "..", "a/b", "../a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(fs_put_durable(place->fd, bad[i], 0600, "x", 1, NULL), RC_PERM);
    }
    assert_int_equal(fs_put_durable(place->fd, longest, 0600, "x", 1, NULL), RC_PERM);
    longest[FS_NAME_BYTES_MAX] = '\0';
    assert_int_equal(fs_put_durable(place->fd, longest, 0600, "x", 1, NULL), RC_OK);
}

/* Each call of a put fails once: the old file is whole (or, after the rename, the new one). */
static void fs_put_durable__any_call_fails__old_or_new_whole(void **state)
{
    struct place *place = *state;
    static const struct {
        enum fault_call call;
        unsigned int nth;
        int error_number;
        enum rc rc;
        const char *then;
    } cases[] = {
        {FAULT_OPEN, 1, EMFILE, RC_TEMP, "old"},  {FAULT_OPEN, 1, EACCES, RC_PERM, "old"},
        {FAULT_WRITE, 1, ENOSPC, RC_TEMP, "old"}, {FAULT_WRITE, 1, EIO, RC_TEMP, "old"},
        {FAULT_WRITE, 1, EINTR, RC_OK, "new"},    {FAULT_WRITE, 1, 0, RC_OK, "new"},
        {FAULT_FSYNC, 1, EIO, RC_IO, "old"},      {FAULT_FSYNC, 1, ENOSPC, RC_IO, "old"},
        {FAULT_CLOSE, 1, EIO, RC_IO, "old"},      {FAULT_RENAME, 1, ENOSPC, RC_TEMP, "old"},
        {FAULT_RENAME, 1, EIO, RC_IO, "old"},     {FAULT_FSYNC, 2, EIO, RC_IO, "new"},
        {FAULT_UNLINK, 1, EROFS, RC_TEMP, "old"},
    };
    int before = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text(place->fd, "a", "old");
        struct err err = {""};
        fault_at(cases[i].call, cases[i].nth, cases[i].error_number, FAULT_ONCE);
        enum rc rc = fs_put_durable(place->fd, "a", 0600, "new", 3, &err);
        fault_clear();
        assert_int_equal(rc, cases[i].rc);
        assert_string_equal(text_of(place->fd, "a"), cases[i].then);
        assert_int_equal(names_in(place->fd), 1);
        assert_true((rc == RC_OK) == (err.text[0] == '\0'));
    }
    assert_int_equal(open_descriptors(), before);
}

static void fs_write_all__short_writes_and_signals__writes_every_byte(void **state)
{
    struct place *place = *state;
    int fd = -1;
    assert_int_equal(fs_create(place->fd, "a", 0600, &fd, NULL), RC_OK);
    fault_at(FAULT_WRITE, 1, 0, FAULT_FOREVER);
    assert_int_equal(fs_write_all(fd, "0123456789", 10, NULL), RC_OK);
    assert_true(fault_count(FAULT_WRITE) > 3);
    fault_at(FAULT_WRITE, 1, EINTR, FAULT_FOREVER); /* never ends: bounded */
    assert_int_equal(fs_write_all(fd, "x", 1, NULL), RC_TEMP);
    fault_clear();
    assert_string_equal(text_of(place->fd, "a"), "0123456789");
    assert_int_equal(fs_close(&fd, NULL), RC_OK);
    assert_int_equal(fd, -1);
}

static void fs_append__disk_full_half_way__is_cut_back(void **state)
{
    struct place *place = *state;
    int fd = -1;
    assert_int_equal(fs_open_append(place->fd, "log", 0640, &fd, NULL), RC_OK);
    assert_int_equal(mode_of(place->fd, "log"), 0640);
    assert_int_equal(fs_append_durable(fd, "one\n", 4, NULL), RC_OK);
    /* First half of the record is written, then the disk is full. */
    fault_at(FAULT_WRITE, 1, 0, FAULT_ONCE);
    struct err err = {""};
    assert_int_equal(fs_append(fd, "two\n", 4, &err), RC_OK);
    fs_drop(&fd);
    assert_int_equal(fs_open_append(place->fd, "log", 0640, &fd, NULL), RC_OK);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(fs_append(fd, "three\n", 6, &err), RC_TEMP);
    assert_string_equal(text_of(place->fd, "log"), "one\ntwo\n");
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    fault_at(FAULT_TRUNCATE, 1, EIO, FAULT_FOREVER);
    assert_int_equal(fs_append(fd, "three\n", 6, &err), RC_IO);
    fault_clear();
    fault_at(FAULT_FSYNC, 1, EIO, FAULT_ONCE);
    assert_int_equal(fs_append_durable(fd, "three\n", 6, &err), RC_IO);
    fs_drop(&fd);
}

/* A real torn write: the file size limit lets some bytes through. */
static void fs_append__file_size_limit__leaves_no_half_record(void **state)
{
    struct place *place = *state;
    int fd = -1;
    char record[600];
    memset(record, 'r', sizeof record);
    assert_int_equal(fs_open_append(place->fd, "log", 0600, &fd, NULL), RC_OK);
    assert_int_equal(fs_append(fd, record, sizeof record, NULL), RC_OK);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {1000, 1000};
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        (void)sigaction(SIGXFSZ, &ignore, NULL);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        _exit(fs_append(fd, record, sizeof record, NULL) == RC_TEMP ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct stat after;
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(after.st_size, sizeof record);
    fs_drop(&fd);
}

static void fs_same_bytes__every_difference__is_seen(void **state)
{
    struct place *place = *state;
    static char block[3 * 64 * 1024];
    struct buf buf = BUF_EMPTY;
    memset(block, 'x', sizeof block);
    buf_add(&buf, block, sizeof block);
    put_text(place->fd, "a", buf_text(&buf));
    put_text(place->fd, "b", buf_text(&buf));
    assert_true(fs_same_bytes(place->fd, "a", place->fd, "b"));
    buf.ptr[buf.len - 1] = 'y';
    put_text(place->fd, "last", buf_text(&buf));
    assert_false(fs_same_bytes(place->fd, "a", place->fd, "last"));
    buf_add_byte(&buf, 'x');
    put_text(place->fd, "longer", buf_text(&buf));
    assert_false(fs_same_bytes(place->fd, "last", place->fd, "longer"));
    assert_false(fs_same_bytes(place->fd, "a", place->fd, "not there"));
    put_text(place->fd, "empty", "");
    assert_true(fs_same_bytes(place->fd, "empty", place->fd, "empty"));
    buf_release(&buf);
}

static void fs_same_as__offset_and_kind_of_file__do_not_matter(void **state)
{
    struct place *place = *state;
    int fd = -1;
    put_text(place->fd, "a", "hello");
    put_text(place->fd, "b", "hallo");
    assert_int_equal(fs_open_memory("list", &fd, NULL), RC_OK);
    assert_int_equal(fs_write_all(fd, "hello", 5, NULL), RC_OK);
    assert_true(fs_same_as(fd, place->fd, "a"));
    assert_false(fs_same_as(fd, place->fd, "b"));
    assert_false(fs_same_as(fd, place->fd, "not there"));
    assert_false(fs_same_as(-1, place->fd, "a"));
    assert_int_equal(names_in(place->fd), 2);
    fs_drop(&fd);
}

static void fs_create__umask__takes_nothing_away(void **state)
{
    struct place *place = *state;
    int fd = -1;
    mode_t old = umask(077);
    assert_int_equal(fs_create(place->fd, "a", 0644, &fd, NULL), RC_OK);
    umask(old);
    assert_int_equal(mode_of(place->fd, "a"), 0644);
    fs_drop(&fd);
}

static void fs_read_small__at_and_over_the_limit(void **state)
{
    struct place *place = *state;
    struct buf buf = BUF_EMPTY;
    put_text(place->fd, "a", "12345");
    assert_int_equal(fs_read_small(place->fd, "a", 5, &buf, NULL), RC_OK);
    assert_string_equal(buf_text(&buf), "12345");
    assert_int_equal(fs_read_small(place->fd, "a", 4, &buf, NULL), RC_RANGE);
    assert_int_equal(fs_read_small(place->fd, "b", 4, &buf, NULL), RC_GONE);
    fault_at(FAULT_READ, 1, 0, FAULT_FOREVER);
    assert_int_equal(fs_read_small(place->fd, "a", 5, &buf, NULL), RC_OK);
    assert_string_equal(buf_text(&buf), "1234512345");
    fault_at(FAULT_READ, 1, EIO, FAULT_ONCE);
    assert_int_equal(fs_read_small(place->fd, "a", 5, &buf, NULL), RC_TEMP);
    fault_clear();
    put_text(place->fd, "empty", "");
    assert_int_equal(fs_read_small(place->fd, "empty", 5, &buf, NULL), RC_OK);
    assert_int_equal(buf.len, 10);
    buf_release(&buf);
}

static void fs_read_fd__grows_beyond_its_size__is_bounded(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    char bytes[20000];
    memset(bytes, 'p', sizeof bytes);
    assert_int_equal(write(ends[1], bytes, sizeof bytes), sizeof bytes);
    (void)close(ends[1]);
    struct buf buf = BUF_EMPTY;
    assert_int_equal(fs_read_fd(ends[0], 19999, &buf, NULL), RC_RANGE);
    (void)close(ends[0]);
    buf_release(&buf);
}

static void fs_open_regular__other_kinds_of_file__are_refused_at_once(void **state)
{
    struct place *place = *state;
    int fd = -1;
    struct err err = {""};
    put_text(place->fd, "file", "x");
    assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
    assert_int_equal(symlinkat("file", place->fd, "link"), 0);
    assert_int_equal(mkdirat(place->fd, "dir", 0700), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", place->path);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    static const char *const bad[] = {"fifo", "link", "dir", "socket", "../x", "/etc/passwd"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum rc rc = fs_open_regular(place->fd, bad[i], &fd, &err);
        assert_int_equal(rc, RC_PERM);
        assert_int_equal(fd, -1);
        assert_int_equal(fs_open_append(place->fd, bad[i], 0600, &fd, &err), RC_PERM);
    }
    assert_int_equal(fs_open_regular(place->fd, "none", &fd, &err), RC_GONE);
    assert_int_equal(fs_open_dir(place->fd, "file", &fd, &err), RC_PERM);
    assert_int_equal(fs_open_regular(place->fd, "file", &fd, &err), RC_OK);
    fs_drop(&fd);
    (void)close(server);
}

static void fs_open_beneath__symlinked_directory_on_the_way__is_refused(void **state)
{
    struct place *place = *state;
    int fd = -1;
    assert_int_equal(mkdirat(place->fd, "dir", 0700), 0);
    put_text(place->fd, "dir/file", "x");
    assert_int_equal(symlinkat("dir", place->fd, "link"), 0);
    assert_int_equal(fs_open_beneath(place->fd, "link/file", O_RDONLY, &fd, NULL), RC_PERM);
    assert_int_equal(fs_open_beneath(place->fd, "dir/file", O_RDONLY, &fd, NULL), RC_OK);
    fs_drop(&fd);
    fault_at(FAULT_OPEN, 1, EAGAIN, FAULT_ONCE);
    assert_int_equal(fs_open_beneath(place->fd, "dir/file", O_RDONLY, &fd, NULL), RC_OK);
    fs_drop(&fd);
    fault_at(FAULT_OPEN, 1, EAGAIN, FAULT_FOREVER);
    assert_int_equal(fs_open_beneath(place->fd, "dir/file", O_RDONLY, &fd, NULL), RC_TEMP);
    fault_at(FAULT_OPEN, 1, ENOSYS, FAULT_ONCE);
    assert_int_equal(fs_open_beneath(place->fd, "dir/file", O_RDONLY, &fd, NULL), RC_PERM);
}

static void fs_create__name_taken__is_refused(void **state)
{
    struct place *place = *state;
    int fd = -1;
    put_text(place->fd, "a", "x");
    assert_int_equal(symlinkat("nowhere", place->fd, "link"), 0);
    assert_int_equal(fs_create(place->fd, "a", 0600, &fd, NULL), RC_EXISTS);
    assert_int_equal(fs_create(place->fd, "link", 0600, &fd, NULL), RC_EXISTS);
    assert_int_equal(fs_create(place->fd, "no/a", 0600, &fd, NULL), RC_GONE);
    assert_int_equal(fs_close(&fd, NULL), RC_OK); /* -1 is allowed */
}

static void fs_copy_fd__counts_digests_and_stops_at_the_limit(void **state)
{
    struct place *place = *state;
    put_text(place->fd, "in", "0123456789");
    int in = open_descriptors() > 0 ? openat(place->fd, "in", O_RDONLY) : -1;
    int out = -1;
    uint64_t bytes = 0;
    struct sha256 *sha = sha256_open();
    char hex[SHA256_HEX_BYTES];
    char expected[SHA256_HEX_BYTES];
    assert_int_equal(fs_create(place->fd, "out", 0600, &out, NULL), RC_OK);
    assert_int_equal(fs_copy_fd(in, out, 10, sha, &bytes, NULL), RC_OK);
    sha256_end(sha, hex);
    sha256_hex("0123456789", 10, expected);
    assert_string_equal(hex, expected);
    assert_int_equal(bytes, 10);
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    assert_int_equal(fs_copy_fd(in, out, 9, NULL, &bytes, NULL), RC_RANGE);
    assert_int_equal(bytes, 9);
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(fs_copy_fd(in, out, 10, NULL, NULL, NULL), RC_TEMP);
    fault_clear();
    sha256_free(sha);
    fs_drop(&in);
    fs_drop(&out);
}

static void fs_reserve__keeps_the_size(void **state)
{
    struct place *place = *state;
    int fd = -1;
    struct stat status;
    assert_int_equal(fs_create(place->fd, "a", 0600, &fd, NULL), RC_OK);
    assert_int_equal(fs_reserve(fd, 65536, NULL), RC_OK);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_true(status.st_blocks > 0);
    fault_at(FAULT_ALLOCATE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(fs_reserve(fd, 65536, NULL), RC_TEMP);
    fs_drop(&fd);
}

static void fs_sync__any_errno__is_io(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    assert_int_equal(fs_sync_filesystem(place->fd, NULL), RC_OK);
    assert_int_equal(fs_sync_dir(place->fd, NULL), RC_OK);
    static const int numbers[] = {EIO, ENOSPC, EDQUOT, EROFS};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fault_at(FAULT_SYNCFS, 1, numbers[i], FAULT_ONCE);
        assert_int_equal(fs_sync_filesystem(place->fd, &err), RC_IO);
        fault_at(FAULT_FSYNC, 1, numbers[i], FAULT_ONCE);
        assert_int_equal(fs_sync_data(place->fd, &err), RC_IO);
    }
}

static void fs_type_is_local__proc__is_refused(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(fs_type_is_local(place->fd, NULL), RC_OK);
    assert_int_equal(fs_type_is_local(proc, &err), RC_PERM);
    assert_non_null(strstr(err.text, "0x9fa0"));
    (void)close(proc);
    uint64_t bytes = 0;
    uint64_t inodes = 0;
    assert_int_equal(fs_free_bytes(place->fd, &bytes, &inodes, NULL), RC_OK);
    assert_true(bytes > 0 && inodes > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(fs_put_durable__new_name__is_there_with_its_mode),
        with_place(fs_put_durable__name_taken__is_replaced),
        with_place(fs_put_durable__syncs_file_and_directory),
        with_place(fs_put_durable__leftover_of_a_crash__is_written_over),
        with_place(fs_put_durable__no_name__is_refused),
        with_place(fs_put_durable__any_call_fails__old_or_new_whole),
        with_place(fs_write_all__short_writes_and_signals__writes_every_byte),
        with_place(fs_append__disk_full_half_way__is_cut_back),
        with_place(fs_append__file_size_limit__leaves_no_half_record),
        with_place(fs_same_bytes__every_difference__is_seen),
        with_place(fs_same_as__offset_and_kind_of_file__do_not_matter),
        with_place(fs_create__umask__takes_nothing_away),
        with_place(fs_read_small__at_and_over_the_limit),
        with_place(fs_read_fd__grows_beyond_its_size__is_bounded),
        with_place(fs_open_regular__other_kinds_of_file__are_refused_at_once),
        with_place(fs_open_beneath__symlinked_directory_on_the_way__is_refused),
        with_place(fs_create__name_taken__is_refused),
        with_place(fs_copy_fd__counts_digests_and_stops_at_the_limit),
        with_place(fs_reserve__keeps_the_size),
        with_place(fs_sync__any_errno__is_io),
        with_place(fs_type_is_local__proc__is_refused),
    };
    return cmocka_run_group_tests_name("sys/fs", tests, NULL, NULL);
}
