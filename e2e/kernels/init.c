// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * All that runs on a machine of e2e/kernels/run: loads the BPF programs of each probe, and says
 * whether the kernel takes them.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf/dns.h"
#include "bpf/dns.skel.h"
#include "bpf/exec.h"
#include "bpf/exec.skel.h"
#include "bpf/http.h"
#include "bpf/http.skel.h"
#include "bpf/tcp.h"
#include "bpf/tcp.skel.h"

static const struct {
	const char *probe;
	const void *(*bytes)(size_t *size);
} objects[] = {
	{"TCP", tcp_bpf__elf_bytes},
	{"HTTP", http_bpf__elf_bytes},
	{"DNS", dns_bpf__elf_bytes},
	{"Exec", exec_bpf__elf_bytes},
};

/* Of the verifier's log, the end tells why. */
#define LOG_END 1500

static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	static char text[1 << 24];
	size_t size;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	size = strlen(text);
	return printf("  %s", size > LOG_END ? text + size - LOG_END : text);
}

static bool loads(size_t index)
{
	size_t size;
	const void *bytes = objects[index].bytes(&size);
	struct bpf_object *object = bpf_object__open_mem(bytes, size, NULL);
	bool ok = object && bpf_object__load(object) == 0;

	bpf_object__close(object);
	return ok;
}

int main(void)
{
	struct utsname system;

	(void)mkdir("/sys", 0755); /* fails when it is there: well */
	if (mount("sysfs", "/sys", "sysfs", 0, NULL) || uname(&system))
		perror("init");
	setvbuf(stdout, NULL, _IOLBF, 0);
	libbpf_set_print(print);
	printf("\r\n");
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		printf("%s %s: %s\r\n", loads(i) ? "ok   " : "FAIL ", system.release,
		       objects[i].probe);
	printf("done\r\n");
	sync();
	return reboot(RB_AUTOBOOT);
}
