/* SPDX-License-Identifier: Apache-2.0
 * What Swift's Glibc module does not import: epoll's packed events, variadic or macro-shaped calls. No logic lives here. */
#ifndef GATEWAY_CLINUX_H
#define GATEWAY_CLINUX_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

/* An event as the engine reads it: `token` is what gw_epoll_add was given. */
struct gw_event { uint32_t events; uint32_t padding; uint64_t token; };

int gw_epoll_create(void);
int gw_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int gw_epoll_change(int epoll, int fd, uint32_t events, uint64_t token);
int gw_epoll_remove(int epoll, int fd);
/* Fills `events` (room for `capacity`, at most 256); returns how many, or -1 with errno. */
int gw_epoll_wait(int epoll, struct gw_event *events, int capacity, int timeout_ms);

/* A descriptor that becomes readable when it is rung, and stays so until it is hushed. */
int gw_bell_create(void);
void gw_bell_ring(int bell);
void gw_bell_hush(int bell);

/* accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC. */
int gw_accept(int listener, struct sockaddr_storage *address, socklen_t *length);
int gw_socket(int family);
/* send with MSG_NOSIGNAL. */
ssize_t gw_send(int fd, const void *bytes, size_t count);
/* sendmsg of up to three pieces with MSG_NOSIGNAL. */
ssize_t gw_send3(int fd, const void *a, size_t a_count, const void *b, size_t b_count, const void *c, size_t c_count);
int gw_set_option(int fd, int level, int name, int value);
/* malloc_trim(0): the allocator gives memory that is free back to the system. */
void gw_return_memory(void);
/* Whether a number is an open descriptor (fcntl F_GETFD): 1 or 0. */
int gw_is_open(int fd);
/* Cores that this process may run on. */
int gw_available_cores(void);

/* Opens `path` (relative, no leading slash) below `directory` for reading; nothing outside of it can be reached, by `..`,
 * by an absolute link or otherwise. openat2(RESOLVE_BENEATH), or where the kernel has none, no links at all. */
int gw_open_beneath(int directory, const char *path);

/* openat without its variadic mode, and flock, whose name Swift gives to the struct. */
int gw_open_at(int directory, const char *name, int flags, mode_t mode);
int gw_lock(int fd);
int gw_unlock(int fd);
/* dup3 with O_CLOEXEC. */
int gw_replace(int fd, int number);
/* preadv2 with RWF_NOWAIT: what is not in the page cache is EAGAIN, and so is a kernel or file system without it. */
ssize_t gw_read_now(int fd, void *bytes, size_t count, off_t offset);
/* Whether all pages of a part of a file, at least a byte long, are in the page cache: 1 or 0, or -1 where the kernel does not tell. */
int gw_is_cached(int fd, off_t offset, size_t count);
ssize_t gw_send_file(int socket, int file, off_t offset, size_t count);
/* copy_file_range, or a copy through memory where the file system has none; returns 0, or -1 with errno. */
int gw_copy(int from, off_t from_offset, int to, off_t to_offset, size_t count);

enum {
    gw_epollin = EPOLLIN, gw_epollout = EPOLLOUT, gw_epollrdhup = EPOLLRDHUP, gw_epollhup = EPOLLHUP,
    gw_epollerr = EPOLLERR
};
#define GW_EPOLLET 0x80000000u

#endif
