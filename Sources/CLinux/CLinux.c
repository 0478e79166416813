/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CLinux.h"

#include <malloc.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int gw_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int gw_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int gw_epoll_change(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

int gw_epoll_remove(int epoll, int fd) {
    struct epoll_event event = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
}

int gw_epoll_wait(int epoll, struct gw_event *events, int capacity, int timeout_ms) {
    struct epoll_event batch[256];
    if (capacity > 256) capacity = 256;
    int count = epoll_wait(epoll, batch, capacity, timeout_ms);
    for (int i = 0; i < count; i++) {
        events[i].events = batch[i].events;
        events[i].token = batch[i].data.u64;
    }
    return count;
}

int gw_bell_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void gw_bell_ring(int bell) {
    uint64_t one = 1;
    ssize_t written = write(bell, &one, sizeof one);
    (void)written; /* EAGAIN: it has been rung very often and not been hushed, which is as good. */
}

void gw_bell_hush(int bell) {
    uint64_t rings;
    ssize_t got = read(bell, &rings, sizeof rings);
    (void)got;
}

int gw_accept(int listener, struct sockaddr_storage *address, socklen_t *length) {
    return accept4(listener, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int gw_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

ssize_t gw_send(int fd, const void *bytes, size_t count) { return send(fd, bytes, count, MSG_NOSIGNAL); }

ssize_t gw_send3(int fd, const void *a, size_t a_count, const void *b, size_t b_count, const void *c, size_t c_count) {
    struct iovec pieces[3] = {{(void *)a, a_count}, {(void *)b, b_count}, {(void *)c, c_count}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 3};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

int gw_set_option(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }

int gw_is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

int gw_available_cores(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

static int open_without_links(int directory, const char *path) {
    char component[256];
    int at = dup(directory);
    while (at >= 0) {
        const char *slash = strchr(path, '/');
        size_t length = slash ? (size_t)(slash - path) : strlen(path);
        if (length >= sizeof component) { close(at); errno = ENAMETOOLONG; return -1; }
        memcpy(component, path, length);
        component[length] = 0;
        if (length == 0) strcpy(component, ".");
        if (strcmp(component, "..") == 0) { close(at); errno = EXDEV; return -1; }
        int next = openat(at, component, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        int saved = errno;
        close(at);
        errno = saved;
        if (next < 0 || !slash) return next;
        at = next;
        path = slash + 1;
    }
    return -1;
}

int gw_open_beneath(int directory, const char *path) {
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return fd;
    return open_without_links(directory, path);
}

int gw_open_at(int directory, const char *name, int flags, mode_t mode) { return openat(directory, name, flags, mode); }

int gw_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

int gw_unlock(int fd) { return flock(fd, LOCK_UN); }
int gw_replace(int fd, int number) { return dup3(fd, number, O_CLOEXEC); }

ssize_t gw_read_now(int fd, void *bytes, size_t count, off_t offset) {
    struct iovec piece = {bytes, count};
    ssize_t got = preadv2(fd, &piece, 1, offset, RWF_NOWAIT);
    if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) errno = EAGAIN;
    return got;
}

/* cachestat is number 451 on every architecture, and of Linux 6.5. */
int gw_is_cached(int fd, off_t offset, size_t count) {
    struct { uint64_t offset, count; } range = {(uint64_t)offset, count};
    struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } state;
    if (syscall(451, fd, &range, &state, 0) != 0) return -1;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return state.cached >= ((uint64_t)offset + count - 1) / page - (uint64_t)offset / page + 1;
}

ssize_t gw_send_file(int socket, int file, off_t offset, size_t count) { return sendfile(socket, file, &offset, count); }

static int copy_through_memory(int from, off_t from_offset, int to, off_t to_offset, size_t count) {
    char bytes[16384];
    while (count > 0) {
        ssize_t got = pread(from, bytes, count < sizeof bytes ? count : sizeof bytes, from_offset);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = EIO;
        if (got <= 0) return -1;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = pwrite(to, bytes + done, (size_t)(got - done), to_offset + done);
            if (put < 0 && errno == EINTR) continue;
            if (put <= 0) return -1;
            done += put;
        }
        from_offset += got;
        to_offset += got;
        count -= (size_t)got;
    }
    return 0;
}

int gw_copy(int from, off_t from_offset, int to, off_t to_offset, size_t count) {
    while (count > 0) {
        ssize_t got = copy_file_range(from, &from_offset, to, &to_offset, count, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return copy_through_memory(from, from_offset, to, to_offset, count);
        count -= (size_t)got;
    }
    return 0;
}

void gw_return_memory(void) { malloc_trim(0); }
