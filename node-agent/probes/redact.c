// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Goes through a command line word by word. A word with blanks, quotes or shell signs in it (the
 * script of `sh -c`, a header, JSON) is cut into words and gone through in the same way.
 */

#include "node-agent/probes/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "node-agent/probes/redact_looks.h"
#include "node-agent/probes/redact_name.h"
#include "node-agent/probes/redact_tools.h"

#define DEPTH_LIMIT 6 /* of words within words */

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
#define BLANKS		" \t\r\n"
#define QUOTES		"\"'"
#define SHELL_SIGNS	BLANKS ";|&()<>`"
#define FINER_SIGNS	"{}[],?&;"
#define WORD_SPLITTERS	SHELL_SIGNS QUOTES

enum expected {
	EXPECTED_NOTHING,
	EXPECTED_LIKELY_SECRET,
	EXPECTED_SECRET,
	EXPECTED_USER, /* user:SECRET */
};

/* What the words so far say of the next. */
struct command_line {
	const struct tool *tool; /* named last, or NULL */
	enum expected next;
	bool script_follows;
	int depth;
};

static void redact_word(struct command_line *line, char *word);

/* --- values --- */

static bool is_switch(const char *value)
{
	static const char *const switches[] = {"true", "false", "yes", "no", "none",
					       "null", "on",	"off", "0",  "1"};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strcasecmp(value, switches[i]) == 0)
			return true;
	return false;
}

/* A variable or a command that yields the secret, not the secret ("$TOKEN", "$(cat token)"). */
static bool is_reference(const char *value)
{
	if (value[0] != '$')
		return false;
	return value[1] == '{' || value[1] == '(' ||
	       (value[1] && value[1 + strspn(value + 1, NAME_CHARACTERS)] == '\0');
}

static bool is_path(const char *value)
{
	return value[0] == '/' || strncmp(value, "./", 2) == 0 || strncmp(value, "~/", 2) == 0 ||
	       strncmp(value, "file:", 5) == 0;
}

static void mask_value(char *value, enum secrecy secrecy)
{
	size_t length = strlen(value);

	if (length == 0 || is_switch(value) || is_reference(value))
		return;
	if (secrecy == SECRECY_LIKELY && is_path(value) &&
	    !redact_looks_random(value + 1, length - 1))
		return;
	redact_mask(value, length);
}

/* user:SECRET; but not the numbers of a user and a group. */
static void mask_user(char *value)
{
	char *colon = strchr(value, ':');

	if (colon && strspn(value, "0123456789:") != strlen(value))
		redact_mask(colon + 1, strlen(colon + 1));
}

/* --- Authorization and its like --- */

/* The length of "Bearer " and its like at the start of `text`, 0 where there is none. */
static size_t scheme_length(const char *text)
{
	static const char *const schemes[] = {"Bearer", "Basic", "Digest", "Token", "Negotiate"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t length = strlen(schemes[i]);
		size_t blanks = strspn(text + length * !strncasecmp(text, schemes[i], length), " ");

		if (strncasecmp(text, schemes[i], length) == 0 && (blanks || !text[length]))
			return length + blanks;
	}
	return 0;
}

static bool is_header_of_secret(const char *name, size_t length)
{
	static const char *const headers[] = {
		"authorization", "proxy-authorization", "cookie",   "set-cookie", "x-api-key",
		"x-auth-token",	 "private-token",	"password", "pass"};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (strlen(headers[i]) == length && strncasecmp(name, headers[i], length) == 0)
			return true;
	return false;
}

/* --- name=value, name: value --- */

/* A word that begins with a name and a sign behind it; `value` is what comes then. */
struct pair {
	const char *name;
	size_t name_length;
	char sign;
	bool quoted; /* the name, as in JSON */
	char *value;
};

static bool parse_pair(char *word, struct pair *ret_pair)
{
	char *at = word + strspn(word, QUOTES "-\\");
	struct pair pair = {.name = at};

	pair.name_length = strspn(at, NAME_CHARACTERS);
	at += pair.name_length;
	if (pair.name_length == 0)
		return false;
	pair.quoted = *at != '\0' && strchr(QUOTES "\\", *at);
	at += strspn(at, QUOTES "\\");
	pair.sign = *at;
	if (pair.sign != '=' && pair.sign != ':')
		return false;
	at++;
	pair.value = at + strspn(at, BLANKS QUOTES "\\");
	*ret_pair = pair;
	return true;
}

/* A colon also stands in image:tag and host:port, so it takes more to be believed. */
static bool is_believable(const struct pair *pair)
{
	return pair->sign == '=' || pair->quoted || pair->value[-1] != ':' || !pair->value[0] ||
	       is_header_of_secret(pair->name, pair->name_length);
}

static enum secrecy pair_secrecy(const struct pair *pair)
{
	if (!is_believable(pair))
		return SECRECY_NONE;
	if (is_header_of_secret(pair->name, pair->name_length))
		return SECRECY_SURE;
	return redact_name_secrecy(pair->name, pair->name_length);
}

static enum expected expected_of(enum secrecy secrecy)
{
	return secrecy == SECRECY_SURE ? EXPECTED_SECRET : EXPECTED_LIKELY_SECRET;
}

/*
 * The length of a value that begins behind `quote`: up to the quote that closes it where only
 * brackets and the like come after, otherwise all there is.
 */
static size_t quoted_length(const char *value, char quote)
{
	size_t length = strlen(value);
	size_t end = length;

	if (!strchr(QUOTES, quote))
		return length;
	while (end > 0 && strchr(FINER_SIGNS, value[end - 1]))
		end--;
	return end > 0 && value[end - 1] == quote ? end - 1 : length;
}

/*
 * Masks a value and leaves the quote that closes it. The byte before it is part of the word, too.
 */
static void mask_quoted_value(char *value, enum secrecy secrecy)
{
	char *rest = value + quoted_length(value, value[-1]);
	char first_of_rest = *rest;
	char *end;

	*rest = '\0';
	mask_value(value + scheme_length(value), secrecy);
	end = value + strlen(value);
	*rest = first_of_rest;
	memmove(end, rest, strlen(rest) + 1);
}

static bool is_user_option(const struct pair *pair)
{
	static const char *const names[] = {"user", "proxy-user", "userpwd"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == pair->name_length &&
		    strncmp(pair->name, names[i], pair->name_length) == 0)
			return true;
	return false;
}

/* True when the word was such a pair, and has been dealt with. */
static bool redact_pair(struct command_line *line, char *word)
{
	struct pair pair;
	enum secrecy secrecy;

	if (!parse_pair(word, &pair))
		return false;
	if (word[0] == '-' && pair.sign == '=' && is_user_option(&pair)) {
		mask_user(pair.value);
		return true;
	}
	secrecy = pair_secrecy(&pair);
	if (secrecy == SECRECY_NONE)
		return false;
	if (!pair.value[0] && pair.sign == ':')
		line->next = expected_of(secrecy);
	mask_quoted_value(pair.value, secrecy);
	return true;
}

/* --- options --- */

static void expect_by_tool(struct command_line *line, char *option)
{
	enum tool_form form = line->tool->form;
	size_t length = strlen(option);

	if (strchr(line->tool->options, option[1]) && option[2]) {
		if (form == TOOL_USER)
			mask_user(option + 2);
		else
			redact_mask(option + 2, length - 2);
	} else if (form != TOOL_ATTACHED && strchr(line->tool->options, option[length - 1])) {
		line->next = form == TOOL_USER ? EXPECTED_USER : EXPECTED_SECRET;
	}
}

/* Whether `-c` and its like (`-lc`) are behind: what follows is a script. */
static bool announces_script(const char *option)
{
	return option[1] && option[1] != '-' && strlen(option) <= 4 &&
	       option[strlen(option) - 1] == 'c';
}

static void expect_by_name(struct command_line *line, const char *option)
{
	const struct pair named = {.name = option + 2, .name_length = strlen(option + 2)};
	enum secrecy secrecy = redact_name_secrecy(named.name, named.name_length);

	if (is_user_option(&named))
		line->next = EXPECTED_USER;
	else if (secrecy != SECRECY_NONE && strcmp(option, "--private") != 0)
		line->next = expected_of(secrecy);
}

static void redact_option(struct command_line *line, char *option)
{
	line->script_follows = announces_script(option);
	if (strncmp(option, "--", 2) == 0) {
		expect_by_name(line, option);
	} else if (line->tool && option[1]) {
		expect_by_tool(line, option);
	} else if (redact_name_secrecy(option, strlen(option)) != SECRECY_NONE) {
		line->next = EXPECTED_LIKELY_SECRET; /* -password, as Java and Go write it */
	}
}

/* --- words in words --- */

/* The length of the word at `text`: up to a sign outside of quotes. */
static size_t word_length(const char *text, const char *signs)
{
	char quote = '\0';
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] == '\\' && text[i + 1])
			i++;
		else if (quote)
			quote = text[i] == quote ? '\0' : quote;
		else if (strchr(QUOTES, text[i]))
			quote = text[i];
		else if (strchr(signs, text[i]))
			break;
	}
	return i;
}

/* Redacts the `length` bytes at `word` as a word of their own. Returns where the text goes on. */
static char *redact_part(struct command_line *line, char *word, size_t length)
{
	char *rest = word + length;
	char first_of_rest = *rest;
	size_t kept;

	*rest = '\0';
	redact_word(line, word);
	kept = strlen(word);
	*rest = first_of_rest;
	memmove(word + kept, rest, strlen(rest) + 1);
	return word + kept;
}

/* A word in quotes is what stands between them. */
static char *redact_unquoted(struct command_line *line, char *word, size_t length)
{
	if (length >= 2 && strchr(QUOTES, word[0]) && word[length - 1] == word[0])
		return redact_part(line, word + 1, length - 2) + 1;
	return redact_part(line, word, length);
}

static void redact_words(const struct command_line *outer, char *text, const char *signs)
{
	struct command_line line = {.depth = outer->depth + 1, .tool = outer->tool};

	while (*text) {
		size_t length = word_length(text, signs);

		text = length ? redact_unquoted(&line, text, length) : text + 1;
	}
}

static bool is_quoted(const char *word)
{
	size_t length = strlen(word);

	return length >= 2 && word_length(word, "") && strchr(QUOTES, word[0]) &&
	       word[length - 1] == word[0];
}

/* The signs between the words that a word may consist of; NULL where it is a single one. */
static const char *signs_inside(const char *word)
{
	if (word[strcspn(word, SHELL_SIGNS)])
		return SHELL_SIGNS;
	if (word[strcspn(word, FINER_SIGNS)])
		return FINER_SIGNS;
	return is_quoted(word) ? SHELL_SIGNS : NULL;
}

/* What is left of a word that is neither option nor pair: there may be some inside. */
static void redact_inside(struct command_line *line, char *word)
{
	const char *signs = line->depth < DEPTH_LIMIT ? signs_inside(word) : NULL;

	if (signs)
		redact_words(line, word, signs);
}

static void mask_expected(char *word, enum secrecy secrecy)
{
	if (word[0] && strchr(QUOTES, word[0]))
		mask_quoted_value(word + 1, secrecy);
	else
		mask_value(word + scheme_length(word), secrecy);
}

/* True when the word was the value that the one before has announced. */
static bool redact_expected(struct command_line *line, char *word)
{
	enum expected expected = line->next;

	if (expected == EXPECTED_NOTHING || (scheme_length(word) && !word[strcspn(word, " ")]))
		return false; /* "Bearer": the next is still to come */
	line->next = EXPECTED_NOTHING;
	if (strncmp(word, "--", 2) == 0)
		return false;
	if (expected == EXPECTED_USER)
		mask_user(word);
	else
		mask_expected(word, expected == EXPECTED_SECRET ? SECRECY_SURE : SECRECY_LIKELY);
	return true;
}

static void redact_plain(struct command_line *line, char *word)
{
	const struct tool *tool = tool_find(word);

	if (tool)
		line->tool = tool;
	if (scheme_length(word) && strcmp(word, "Bearer") == 0)
		line->next = EXPECTED_SECRET;
	redact_inside(line, word);
}

static void redact_word(struct command_line *line, char *word)
{
	bool script = line->script_follows;

	line->script_follows = false;
	if (redact_expected(line, word))
		return;
	redact_looks(word);
	if (script && word[strcspn(word, WORD_SPLITTERS)]) {
		redact_words(line, word, SHELL_SIGNS);
		return;
	}
	if (redact_pair(line, word))
		return;
	if (word[0] == '-' && !word[strcspn(word, BLANKS "=")])
		redact_option(line, word);
	else
		redact_plain(line, word);
}

void redact_arguments(char *const arguments[], size_t count)
{
	struct command_line line = {0};

	for (size_t i = 0; i < count; i++)
		redact_word(&line, arguments[i]);
}
