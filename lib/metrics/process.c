// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What the kernel says of this process (proc(5)). */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/metrics/exposition.h"
#include "lib/metrics/process.h"

#define PROC_LINE_SIZE 1024

/*
 * The start of the process after boot is member 22 of its stat line; members 3 to 21 come before.
 */
#define STAT_MEMBERS_BEFORE_START 19

static uint64_t read_resident_bytes(void)
{
	cleanup_file FILE *file = fopen("/proc/self/statm", "re");
	uint64_t size, resident;

	if (!file || fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_descriptors(void)
{
	cleanup_directory DIR *directory = opendir("/proc/self/fd");
	uint64_t count = 0;
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	return count ? count - 1 : 0; /* less the one that was just opened */
}

static double read_cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return 0;
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Clock ticks from boot to the start of this process. */
static double read_start_ticks(void)
{
	cleanup_file FILE *file = fopen("/proc/self/stat", "re");
	char line[PROC_LINE_SIZE], *at;

	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	at = strrchr(line, ')'); /* the name before it may hold anything */
	for (int i = 0; at && i <= STAT_MEMBERS_BEFORE_START; i++)
		at = strchr(at + 1, ' ');
	return at ? strtod(at, NULL) : 0;
}

static double read_start_time(void)
{
	struct timespec now, boot;
	double uptime, ticks = read_start_ticks();

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	uptime = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - uptime +
	       ticks / (double)sysconf(_SC_CLK_TCK);
}

static void write_one(struct text *out, const char *name, enum metric_type type, const char *help,
		      double value)
{
	metrics_family(out, name, type, help);
	metrics_sample(out, name, NULL, 0, value);
}

void process_metrics_write(struct text *out)
{
	write_one(out, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory.",
		  (double)read_resident_bytes());
	write_one(out, "process_open_fds", METRIC_GAUGE, "Open file descriptors.",
		  (double)count_descriptors());
	write_one(out, "process_cpu_seconds_total", METRIC_COUNTER, "User and system time.",
		  read_cpu_seconds());
	write_one(out, "process_start_time_seconds", METRIC_GAUGE,
		  "Start of the process, in seconds since 1970.", read_start_time());
}
