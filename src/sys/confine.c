/*
 * confine - capabilities, landlock and seccomp by their system calls
 *
 * The landlock structures are spelled out here: Debian 12's headers know ABI 2, kernels in use know
 * more.
 */
#include "sys/confine.h"

#include "sys/calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- privileges ---- */

enum rc confine_privileges(struct err *err)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return sys_err(err, errno, "forbid core dumps");
    }
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capset, &header, data) != 0) {
        return sys_err(err, errno, "drop capabilities");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return sys_err(err, errno, "no_new_privs");
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return sys_err(err, errno, "forbid tracing");
    }
    return RC_OK;
}

/* ---- landlock (Documentation/userspace-api/landlock.rst) ---- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum {
    LL_VERSION_FLAG = 1,
    LL_RULE_PATH_BENEATH = 1,
    LL_RULE_NET_PORT = 2, /* ABI 4 */
    PORT_NAMES = 53,      /* long answers about names come by TCP */
    /* rights over files, by bit */
    LL_WRITE_FILE = 1 << 1,
    LL_READ_FILE = 1 << 2,
    LL_READ_DIR = 1 << 3,
    LL_REMOVE_DIR = 1 << 4,
    LL_REMOVE_FILE = 1 << 5,
    LL_MAKE_DIR = 1 << 7,
    LL_MAKE_REG = 1 << 8,
    LL_REFER = 1 << 13,
    LL_TRUNCATE = 1 << 14,
    LL_READ = LL_READ_FILE | LL_READ_DIR,
    LL_WRITE = LL_READ | LL_WRITE_FILE | LL_REMOVE_DIR | LL_REMOVE_FILE | LL_MAKE_DIR |
               LL_MAKE_REG | LL_REFER | LL_TRUNCATE,
    LL_OF_A_FILE = LL_READ_FILE | LL_WRITE_FILE | LL_TRUNCATE,
    LL_BIND_TCP = 1 << 0,
    LL_CONNECT_TCP = 1 << 1,
    LL_SCOPES = 3 /* abstract unix sockets, signals */
};

/* All rights that an ABI knows; what is handled and not granted is denied. */
static uint64_t rights_of(int abi)
{
    if (abi >= 5) {
        return (1U << 16) - 1; /* with ioctl on devices */
    }
    if (abi >= 3) {
        return (1U << 15) - 1; /* with truncate */
    }
    return abi == 2 ? (1U << 14) - 1 /* with refer */ : (1U << 13) - 1;
}

struct ll_ruleset {
    uint64_t files;
    uint64_t net;    /* ABI 4 */
    uint64_t scoped; /* ABI 6 */
};

struct ll_path_beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

struct ll_net_port {
    uint64_t allowed;
    uint64_t port;
};

int confine_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_VERSION_FLAG);
    return abi < 0 ? 0 : (int)abi;
}

static enum rc allow_below(int ruleset, uint64_t known, const struct worker_dir *dir,
                           struct err *err)
{
    struct stat status;
    if (fstat(dir->dirfd, &status) != 0) {
        return sys_err(err, errno, "landlock: directory");
    }
    uint64_t wanted = dir->access == WORKER_WRITE ? LL_WRITE : LL_READ;
    if (!S_ISDIR(status.st_mode)) {
        wanted &= LL_OF_A_FILE;
    }
    struct ll_path_beneath rule = {wanted & known, dir->dirfd};
    if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0) != 0) {
        return sys_err(err, errno, "landlock: rule");
    }
    return RC_OK;
}

static enum rc allow_port(int ruleset, uint16_t port, struct err *err)
{
    struct ll_net_port rule = {LL_CONNECT_TCP, port};
    return syscall(SYS_landlock_add_rule, ruleset, LL_RULE_NET_PORT, &rule, 0) == 0
               ? RC_OK
               : sys_err(err, errno, "landlock: port");
}

enum rc confine_files(int abi, const struct worker_dir *dirs, size_t count, uint16_t port,
                      struct err *err)
{
    uint64_t known = rights_of(abi);
    struct ll_ruleset attributes = {
        .files = known,
        .net = LL_BIND_TCP | LL_CONNECT_TCP,
        .scoped = LL_SCOPES,
    };
    size_t size = abi >= 6   ? sizeof attributes
                  : abi >= 4 ? offsetof(struct ll_ruleset, scoped)
                             : offsetof(struct ll_ruleset, net);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0) {
        return sys_err(err, errno, "landlock: rules");
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; i < count && rc == RC_OK; i++) {
        rc = allow_below(ruleset, known, &dirs[i], err);
    }
    if (rc == RC_OK && abi >= 4 && port > 0) {
        rc = allow_port(ruleset, port, err);
        rc = rc == RC_OK ? allow_port(ruleset, PORT_NAMES, err) : rc;
    }
    if (rc == RC_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        rc = sys_err(err, errno, "landlock");
    }
    (void)close(ruleset);
    return rc;
}

/* ---- seccomp ---- */

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000U /* the other numbering of the same calls */
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* No file work, no thread and no allocation needs these. Kernels without one of them say ENOSYS
 * anyway. */
static const int denied_always[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_unshare,
    SYS_setns,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_acct,
    SYS_syslog,
    SYS_quotactl,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_fanotify_init,
    SYS_personality,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_capset,
    SYS_mknodat,
    SYS_symlinkat,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
    SYS_mknod,
    SYS_symlink,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
};

/* ... and these only for sending. */
static const int denied_without_network[] = {SYS_socket, SYS_socketpair, SYS_connect, SYS_bind};

enum {
    FILTER_MAX = 512,
    DENIED_MAX = (sizeof denied_always + sizeof denied_without_network) / sizeof(int),
    TERMINAL_INPUT = 0x5412, /* TIOCSTI: typing into the terminal that stderr may be */
    NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                     CLONE_NEWPID | CLONE_NEWNET
};
_Static_assert(DENIED_MAX * 2 + 40 < FILTER_MAX, "the filter has room for every call");

struct filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short len;
};

static void put(struct filter *filter, unsigned int code, unsigned int k, unsigned int if_true,
                unsigned int if_false)
{
    filter->code[filter->len++] = (struct sock_filter){(unsigned short)code, (unsigned char)if_true,
                                                       (unsigned char)if_false, k};
}

#define LOAD (BPF_LD | BPF_W | BPF_ABS)
#define IF_EQUAL (BPF_JMP | BPF_JEQ | BPF_K)
#define IF_ABOVE (BPF_JMP | BPF_JGE | BPF_K)
#define IF_ANY_BIT (BPF_JMP | BPF_JSET | BPF_K)
#define RETURN (BPF_RET | BPF_K)
#define DENY(number) (SECCOMP_RET_ERRNO | (unsigned int)(number))
/* Low half of an argument: both architectures are little-endian. */
#define ARGUMENT(i) ((unsigned int)(offsetof(struct seccomp_data, args) + sizeof(uint64_t) * (i)))

static void deny_list(struct filter *filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(filter, IF_EQUAL, (unsigned int)calls[i], 0, 1);
        put(filter, RETURN, DENY(EPERM), 0, 0);
    }
}

#ifdef OUR_ARCHITECTURE
/* Sockets of the internet, and the kernel's list of our addresses, which the resolver asks for: no
 * way to the databases and agents that listen on this machine by a path. */
static void allow_internet(struct filter *filter)
{
    put(filter, IF_EQUAL, SYS_socket, 0, 6);
    put(filter, LOAD, ARGUMENT(0), 0, 0);
    put(filter, IF_EQUAL, AF_INET, 3, 0);
    put(filter, IF_EQUAL, AF_INET6, 2, 0);
    put(filter, IF_EQUAL, AF_NETLINK, 1, 0);
    put(filter, RETURN, DENY(EAFNOSUPPORT), 0, 0);
    put(filter, RETURN, SECCOMP_RET_ALLOW, 0, 0);
}

static void build_filter(struct filter *filter, bool may_connect)
{
    put(filter, LOAD, offsetof(struct seccomp_data, arch), 0, 0);
    put(filter, IF_EQUAL, OUR_ARCHITECTURE, 1, 0);
    put(filter, RETURN, SECCOMP_RET_KILL_PROCESS, 0, 0);
    put(filter, LOAD, offsetof(struct seccomp_data, nr), 0, 0);
#ifdef X32_BIT
    put(filter, IF_ABOVE, X32_BIT, 0, 1);
    put(filter, RETURN, DENY(EPERM), 0, 0);
#endif
    deny_list(filter, denied_always, sizeof denied_always / sizeof denied_always[0]);
    if (!may_connect) {
        deny_list(filter, denied_without_network,
                  sizeof denied_without_network / sizeof denied_without_network[0]);
    } else {
        allow_internet(filter);
    }
    /* clone3 hides its flags in memory; the C library falls back to clone on ENOSYS. */
    put(filter, IF_EQUAL, SYS_clone3, 0, 1);
    put(filter, RETURN, DENY(ENOSYS), 0, 0);
    /* clone: threads of this process, no process, no name space. */
    put(filter, IF_EQUAL, SYS_clone, 0, 5);
    put(filter, LOAD, ARGUMENT(0), 0, 0);
    put(filter, IF_ANY_BIT, NEW_NAMESPACES, 1, 0);
    put(filter, IF_ANY_BIT, CLONE_THREAD, 1, 0);
    put(filter, RETURN, DENY(EPERM), 0, 0);
    put(filter, RETURN, SECCOMP_RET_ALLOW, 0, 0);
    /* tgkill: only to ourselves (abort, raise). */
    put(filter, IF_EQUAL, SYS_tgkill, 0, 4);
    put(filter, LOAD, ARGUMENT(0), 0, 0);
    put(filter, IF_EQUAL, (unsigned int)getpid(), 1, 0);
    put(filter, RETURN, DENY(EPERM), 0, 0);
    put(filter, RETURN, SECCOMP_RET_ALLOW, 0, 0);
    put(filter, IF_EQUAL, SYS_ioctl, 0, 3);
    put(filter, LOAD, ARGUMENT(1), 0, 0);
    put(filter, IF_EQUAL, TERMINAL_INPUT, 0, 1);
    put(filter, RETURN, DENY(EPERM), 0, 0);
    put(filter, RETURN, SECCOMP_RET_ALLOW, 0, 0);
}
#endif

bool confine_has_seccomp(void)
{
#ifdef OUR_ARCHITECTURE
    /* A filter at NULL: EFAULT where filters are known, EINVAL where not. */
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0 && errno == EFAULT;
#else
    return false;
#endif
}

enum rc confine_calls(bool may_connect, struct err *err)
{
#ifdef OUR_ARCHITECTURE
    struct filter filter = {.len = 0};
    build_filter(&filter, may_connect);
    struct sock_fprog program = {filter.len, filter.code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        return sys_err(err, errno, "seccomp");
    }
    return RC_OK;
#else
    (void)may_connect;
    return err_set(err, RC_PERM, "seccomp: no filter for this architecture");
#endif
}
