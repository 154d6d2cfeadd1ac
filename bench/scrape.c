// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What a scrape of many series costs the agent's loop: 5,000 and 50,000 series in rows like those
 * of the TCP probe, written by the store, and for comparison by the functions that write one sample
 * at a time; and written as the body of an answer, which packs what it is given.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/http/body.h"
#include "node-agent/series/store.h"

#define COUNTERS 20
#define BOUNDS	 17
#define ROUNDS	 51
#define LABELS	 7

static const char *const names[COUNTERS] = {
	"skep_tcp_a_total", "skep_tcp_b_total", "skep_tcp_c_total", "skep_tcp_d_total",
	"skep_tcp_e_total", "skep_tcp_f_total", "skep_tcp_g_total", "skep_tcp_h_total",
	"skep_tcp_i_total", "skep_tcp_j_total", "skep_tcp_k_total", "skep_tcp_l_total",
	"skep_tcp_m_total", "skep_tcp_n_total", "skep_tcp_o_total", "skep_tcp_p_total",
	"skep_tcp_q_total", "skep_tcp_r_total", "skep_tcp_s_total", "skep_tcp_t_total",
};
static double bounds[BOUNDS];
static struct series_family families[COUNTERS + 2];
static const struct series_layout layout = {families, COUNTERS + 2};
#define ROW_SERIES (COUNTERS + 2 * (BOUNDS + 3))

static void make_layout(void)
{
	for (int i = 0; i < BOUNDS; i++)
		bounds[i] = (double)(64U << i) / 1e6;
	for (int i = 0; i < COUNTERS; i++)
		families[i] = (struct series_family){
			.name = names[i], .help = "Told of a connection.", .type = METRIC_COUNTER};
	for (int i = COUNTERS; i < COUNTERS + 2; i++)
		families[i] =
			(struct series_family){.name = i == COUNTERS ? "skep_tcp_srtt_seconds"
								     : "skep_tcp_connect_seconds",
					       .help = "Time of a connection.",
					       .type = METRIC_HISTOGRAM,
					       .unit = 1e-6,
					       .bounds = bounds,
					       .bound_count = BOUNDS};
}

static void make_labels(size_t row, char port[24], struct metric_label labels[LABELS])
{
	snprintf(port, 24, "%zu", row);
	labels[0] = (struct metric_label){"k8s_namespace_name", "shop"};
	labels[1] = (struct metric_label){"k8s_deployment_name", "checkout"};
	labels[2] = (struct metric_label){"role", "client"};
	labels[3] = (struct metric_label){"peer_kind", "Deployment"};
	labels[4] = (struct metric_label){"peer_namespace", "warehouse"};
	labels[5] = (struct metric_label){"peer_name", "inventory"};
	labels[6] = (struct metric_label){"server_port", port};
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A policy has room for 10,000 series: owners of several policies share the rows out. */
static void fill(struct series_owner *owners[], size_t rows)
{
	uint64_t counts[BOUNDS + 1];

	for (int i = 0; i <= BOUNDS; i++)
		counts[i] = 1234567 + (uint64_t)i;
	for (size_t i = 0; i < rows; i++) {
		struct metric_label labels[LABELS];
		char port[24];
		struct series_row *row;

		make_labels(i, port, labels);
		row = series_row(owners[i / 100], &layout, &labels[2], LABELS - 2);
		for (size_t j = 0; j < COUNTERS; j++)
			series_add(row, j, 123456789 * (int64_t)j);
		series_add_histogram(row, COUNTERS, counts, 987654321);
		series_add_histogram(row, COUNTERS + 1, counts, 987654321);
	}
}

static void write_sample_by_sample(size_t rows, struct text *out)
{
	uint64_t counts[BOUNDS + 1];

	for (int i = 0; i <= BOUNDS; i++)
		counts[i] = 1234567 + (uint64_t)i;
	for (size_t family = 0; family < layout.count; family++) {
		metrics_family(out, families[family].name, families[family].type,
			       families[family].help);
		for (size_t i = 0; i < rows; i++) {
			struct metric_label labels[LABELS];
			char port[24];

			make_labels(i, port, labels);
			if (family < COUNTERS)
				metrics_sample(out, families[family].name, labels, LABELS,
					       123456789.0 * (double)family);
			else
				metrics_histogram(out, families[family].name, labels, LABELS,
						  bounds, counts, BOUNDS, 987.654321);
		}
	}
}

/* What is measured: writes a text, and returns how many bytes it took in memory. */
typedef size_t (*writer)(const struct series_store *store, size_t rows);

static size_t write_store(const struct series_store *store, size_t rows)
{
	struct text out = TEXT_EMPTY;
	size_t size;

	(void)rows;
	series_write(store, &out);
	size = out.length;
	text_free(&out);
	return size;
}

static size_t write_samples(const struct series_store *store, size_t rows)
{
	struct text out = TEXT_EMPTY;
	size_t size;

	(void)store;
	write_sample_by_sample(rows, &out);
	size = out.length;
	text_free(&out);
	return size;
}

static int respond(void *context, struct text *text)
{
	series_write(context, text);
	return 200;
}

static size_t write_packed(const struct series_store *store, size_t rows)
{
	struct http_body body = {0};
	size_t size;

	(void)rows;
	http_body_fill(&body, respond, (void *)store);
	size = http_body_size(&body, true);
	http_body_free(&body);
	return size;
}

static double measure(writer write, const struct series_store *store, size_t rows,
		      size_t *ret_bytes)
{
	double times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double begun = now_ms();

		*ret_bytes = write(store, rows);
		times[i] = now_ms() - begun;
	}
	qsort(times, ROUNDS, sizeof(times[0]), compare);
	return times[ROUNDS / 2];
}

#define OWNERS 16

static void measure_rows(size_t rows)
{
	struct series_store *store = series_store_new();
	struct series_owner *owners[OWNERS];
	struct metric_label labels[LABELS];
	char port[24];
	size_t bytes, bytes_packed, bytes_before;
	double begun, added, written, packed, before;

	make_labels(0, port, labels);
	for (int i = 0; i < OWNERS; i++) {
		char policy[16];
		char *name = policy;
		const struct strings policies = {&name, 1};

		snprintf(policy, sizeof(policy), "shop/%d", i);
		owners[i] = series_owner_new(store, labels, 2, &policies);
	}
	fill(owners, rows);
	begun = now_ms();
	fill(owners, rows);
	added = now_ms() - begun;
	written = measure(write_store, store, rows, &bytes);
	packed = measure(write_packed, store, rows, &bytes_packed);
	before = measure(write_samples, store, rows, &bytes_before);
	printf("%6zu series, %4zu rows: added to in %6.2f ms, written in %6.2f ms (%zu KiB), "
	       "and packed in %6.2f ms (%zu KiB); sample by sample %6.2f ms (%zu KiB)\n",
	       rows * ROW_SERIES, rows, added, written, bytes / 1024, packed, bytes_packed / 1024,
	       before, bytes_before / 1024);
	for (int i = 0; i < OWNERS; i++)
		series_owner_free(owners[i], 0);
	series_store_free(store);
}

int main(void)
{
	make_layout();
	measure_rows((5000 + ROW_SERIES - 1) / ROW_SERIES);
	measure_rows((50000 + ROW_SERIES - 1) / ROW_SERIES);
	return 0;
}
