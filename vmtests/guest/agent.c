/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's end of a VM test: runs shell scripts for the host, over a virtio-serial port.
 *
 * Both directions carry frames: kind, job, length (three little-endian u32), then `length` bytes.
 *   host to guest   START: the bytes are a script for /bin/sh     SIGNAL: a u32 signal for the job's process group
 *   guest to host   HELLO: the guest is up                        OUT, ERR: what the job printed
 *                   EXIT: a u32, the exit status, or 128 + signal
 * A job ends when its shell ends, even if something it left behind still holds the pipes: a daemon started with `&`
 * must not keep the test waiting.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIND_START = 1, KIND_SIGNAL = 2 };
enum { KIND_HELLO = 16, KIND_OUT = 17, KIND_ERR = 18, KIND_EXIT = 19 };
enum { MAX_JOBS = 32, CHUNK = 32768, STATUS_CANNOT_RUN = 125 };

struct header {
  uint32_t kind, job, length;
};

struct job {
  pid_t pid; /* 0: the slot is free */
  uint32_t id;
  int out, err; /* our ends of the pipes; -1 once at end of file */
};

static struct job jobs[MAX_JOBS];
static int port = -1;

static void die(const char* what) {
  perror(what);
  exit(1);
}

/* The port is a character device: it reads as ended, and fails writes, whenever the host is not connected. */
static void wait_for_host(void) {
  usleep(20000);
}

static void port_write(const void* data, size_t size) {
  const char* at = data;
  while (size > 0) {
    ssize_t n = write(port, at, size);
    if (n <= 0) {
      wait_for_host();
      continue;
    }
    at += n;
    size -= (size_t)n;
  }
}

static void port_read(void* data, size_t size) {
  char* at = data;
  while (size > 0) {
    ssize_t n = read(port, at, size);
    if (n <= 0) {
      wait_for_host();
      continue;
    }
    at += n;
    size -= (size_t)n;
  }
}

static void send_frame(uint32_t kind, uint32_t job, const void* data, uint32_t length) {
  struct header h = {kind, job, length};
  port_write(&h, sizeof(h));
  port_write(data, length);
}

static void send_exit(uint32_t job, uint32_t status) {
  send_frame(KIND_EXIT, job, &status, sizeof(status));
}

static int open_port(const char* wanted) {
  for (;; usleep(20000)) {
    DIR* dir = opendir("/sys/class/virtio-ports");
    struct dirent* entry;
    while (dir && (entry = readdir(dir))) {
      char path[512], name[64] = "";
      snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
      FILE* f = fopen(path, "re");
      if (!f) continue;
      int got = fscanf(f, "%63s", name);
      fclose(f);
      if (got != 1 || strcmp(name, wanted) != 0) continue;
      snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
      int fd = open(path, O_RDWR | O_CLOEXEC);
      if (fd >= 0) {
        closedir(dir);
        return fd;
      }
    }
    if (dir) closedir(dir);
  }
}

static void become_script(const char* script, int out, int err) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  dup2(out, 1);
  dup2(err, 2);
  execl("/bin/sh", "sh", "-c", script, (char*)NULL);
  _exit(127);
}

static void start_job(uint32_t id, const char* script) {
  struct job* slot = NULL;
  for (int i = 0; i < MAX_JOBS && !slot; i++)
    if (jobs[i].pid == 0) slot = &jobs[i];
  int out[2], err[2];
  if (!slot || pipe2(out, O_CLOEXEC) != 0) {
    send_exit(id, STATUS_CANNOT_RUN);
    return;
  }
  if (pipe2(err, O_CLOEXEC) != 0) {
    close(out[0]);
    close(out[1]);
    send_exit(id, STATUS_CANNOT_RUN);
    return;
  }
  pid_t pid = fork();
  if (pid == 0) become_script(script, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  if (pid < 0) {
    close(out[0]);
    close(err[0]);
    send_exit(id, STATUS_CANNOT_RUN);
    return;
  }
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  *slot = (struct job){.pid = pid, .id = id, .out = out[0], .err = err[0]};
}

static void forward(const struct job* job, int* fd, uint32_t kind) {
  static char chunk[CHUNK];
  while (*fd >= 0) {
    ssize_t n = read(*fd, chunk, sizeof(chunk));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      close(*fd);
      *fd = -1;
      return;
    }
    send_frame(kind, job->id, chunk, (uint32_t)n);
  }
}

static void finish_job(struct job* job, int wait_status) {
  forward(job, &job->out, KIND_OUT);
  forward(job, &job->err, KIND_ERR);
  if (job->out >= 0) close(job->out);
  if (job->err >= 0) close(job->err);
  job->pid = 0;
  send_exit(job->id,
            WIFEXITED(wait_status) ? (uint32_t)WEXITSTATUS(wait_status) : 128u + (uint32_t)WTERMSIG(wait_status));
}

/* As process 1 of the guest this also collects orphans, which belong to no job. */
static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < MAX_JOBS; i++)
      if (jobs[i].pid == pid) finish_job(&jobs[i], status);
}

static void handle_frame(void) {
  struct header h;
  port_read(&h, sizeof(h));
  char* data = calloc(1, (size_t)h.length + 1);
  if (!data) die("calloc");
  port_read(data, h.length);
  if (h.kind == KIND_START) start_job(h.job, data);
  if (h.kind == KIND_SIGNAL && h.length == sizeof(uint32_t)) {
    uint32_t number;
    memcpy(&number, data, sizeof(number));
    for (int i = 0; i < MAX_JOBS; i++)
      if (jobs[i].pid != 0 && jobs[i].id == h.job) kill(-jobs[i].pid, (int)number);
  }
  free(data);
}

static void wait_and_serve(int signals) {
  struct pollfd fds[2 + 2 * MAX_JOBS];
  nfds_t count = 0;
  fds[count++] = (struct pollfd){.fd = port, .events = POLLIN};
  fds[count++] = (struct pollfd){.fd = signals, .events = POLLIN};
  for (int i = 0; i < MAX_JOBS; i++) { /* poll() skips negative descriptors */
    fds[count++] = (struct pollfd){.fd = jobs[i].pid ? jobs[i].out : -1, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = jobs[i].pid ? jobs[i].err : -1, .events = POLLIN};
  }
  if (poll(fds, count, -1) < 0) return;
  for (int i = 0; i < MAX_JOBS; i++) {
    if (fds[2 + 2 * i].revents) forward(&jobs[i], &jobs[i].out, KIND_OUT);
    if (fds[3 + 2 * i].revents) forward(&jobs[i], &jobs[i].err, KIND_ERR);
  }
  if (fds[1].revents) {
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) reap();
  }
  if (fds[0].revents & POLLIN)
    handle_frame();
  else if (fds[0].revents & POLLHUP)
    wait_for_host();
}

int main(void) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  int signals = signalfd(-1, &child, SFD_CLOEXEC);
  if (signals < 0) die("signalfd");
  port = open_port("agent");
  send_frame(KIND_HELLO, 0, "", 0);
  for (;;) wait_and_serve(signals);
}
