// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/options.h"

#include <errno.h>
#include <string.h>

/* The index of the row of "--name=value" or "--name", and the value in the word itself, if any. */
static size_t find_row(const struct option_table *table, const char *word, const char **ret_value)
{
	const char *name = strncmp(word, "--", 2) == 0 ? word + 2 : "";
	size_t length = strcspn(name, "=");

	for (size_t i = 0; i < table->count; i++) {
		const char *known = table->rows[i].name;

		if (strlen(known) != length || strncmp(known, name, length) != 0)
			continue;
		*ret_value = name[length] ? name + length + 1 : NULL;
		return i;
	}
	return table->count;
}

static enum option_question question_of(const char *word)
{
	if (strcmp(word, "--help") == 0)
		return OPTION_QUESTION_HELP;
	return strcmp(word, "--version") == 0 ? OPTION_QUESTION_VERSION : OPTION_QUESTION_NONE;
}

/* Reads the option at argv[*at], and moves *at to the last word of it. */
static int read_option(const struct option_table *table, char *argv[], int *at,
		       const char *values[], struct error *error)
{
	const char *value = NULL;
	size_t index = find_row(table, argv[*at], &value);
	const struct option_row *row = &table->rows[index];

	if (index == table->count)
		return error_set(error, EINVAL, "%s is no option; see --help", argv[*at]);
	if (!value && argv[*at + 1])
		value = argv[++*at];
	if (!value || !*value)
		return error_set(error, EINVAL, "--%s needs a value: --%s=%s", row->name, row->name,
				 row->value);
	values[index] = value;
	return 0;
}

static int complete(const struct option_table *table, const char *values[], struct error *error)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option_row *row = &table->rows[i];

		if (!values[i] && !row->otherwise)
			return error_set(error, EINVAL, "--%s=%s must be given; see --help",
					 row->name, row->value);
		if (!values[i])
			values[i] = row->otherwise;
	}
	return 0;
}

int options_read(const struct option_table *table, int argc, char *argv[], const char *values[],
		 enum option_question *ret_question, struct error *error)
{
	enum option_question question = OPTION_QUESTION_NONE;
	int result = 0;

	memset(values, 0, table->count * sizeof(*values));
	for (int i = 1; i < argc && !question && result == 0; i++) {
		question = question_of(argv[i]);
		if (!question)
			result = read_option(table, argv, &i, values, error);
	}
	if (result == 0 && !question)
		result = complete(table, values, error);
	if (result == 0)
		*ret_question = question;
	return result;
}

int option_read_endpoint(const struct option_row *row, const char *value,
			 struct endpoint *ret_endpoint, struct error *error)
{
	int result = endpoint_parse(value, ret_endpoint, error);

	return result < 0 ? error_wrap(error, result, "--%s", row->name) : 0;
}

int option_read_log_level(const struct option_row *row, const char *value,
			  enum log_level *ret_level, struct error *error)
{
	int result = log_level_parse(value, ret_level, error);

	return result < 0 ? error_wrap(error, result, "--%s", row->name) : 0;
}

void options_print_help(const struct option_table *table, FILE *out)
{
	fputs(table->intro, out);
	fputc('\n', out);
	for (size_t i = 0; i < table->count; i++) {
		const struct option_row *row = &table->rows[i];

		fprintf(out, "  --%s=%s\n        %s", row->name, row->value, row->help);
		if (!row->otherwise)
			fputs("; must be given", out);
		else if (*row->otherwise)
			fprintf(out, " (%s)", row->otherwise);
		fputc('\n', out);
	}
	fputs("  --help\n        this text\n  --version\n        the version\n", out);
}
