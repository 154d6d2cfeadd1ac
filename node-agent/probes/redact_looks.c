// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/redact_looks.h"

#include <ctype.h>
#include <string.h>

#define MASK_LENGTH 3

#define RANDOM_LENGTH	    20 /* the shortest word that is taken for random, */
#define RANDOM_SEGMENT	    16 /* its longest piece between dashes, */
#define RANDOM_TURNS	    4  /* and the changes between small, capital and digit in that */
#define RANDOM_OF_EACH	    3  /* letters, and digits */
#define RANDOM_SLASH_LENGTH 32 /* with slashes, as base64 has them: longer than a path */
#define RANDOM_SLASH_TURNS  10

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS	"0123456789"

char *redact_mask(char *start, size_t length)
{
	size_t kept = length < MASK_LENGTH ? length : MASK_LENGTH;

	memset(start, '*', kept);
	memmove(start + kept, start + length, strlen(start + length) + 1);
	return start + kept;
}

/* A block that has no end (it was cut) is masked as far as there is text. */
static void mask_pem(char *text)
{
	char *begin, *end;

	while ((begin = strstr(text, "-----BEGIN "))) {
		end = strstr(begin, "-----END ");
		if (end)
			end = strstr(end + strlen("-----END "), "-----");
		text = redact_mask(begin, end ? (size_t)(end - begin) + 5 : strlen(begin));
	}
}

/* Masks the password of user:password@, or all of token@. Returns where to go on. */
static char *mask_user_information(char *authority)
{
	size_t length = strcspn(authority, "/?# \t\n\"'");
	char *at = memrchr(authority, '@', length);
	char *colon;

	if (!at)
		return authority;
	colon = memchr(authority, ':', (size_t)(at - authority));
	if (colon)
		return redact_mask(colon + 1, (size_t)(at - colon) - 1);
	return redact_looks_random(authority, (size_t)(at - authority))
		       ? redact_mask(authority, (size_t)(at - authority))
		       : authority;
}

static void mask_urls(char *text)
{
	while ((text = strstr(text, "://")))
		text = mask_user_information(text + strlen("://"));
}

/* Header, payload and signature in base64 with dots between; the header begins with {" . */
static void mask_web_tokens(char *text)
{
	while ((text = strstr(text, "eyJ"))) {
		size_t header = strspn(text, LETTERS DIGITS "-_");
		size_t length = strspn(text, LETTERS DIGITS "-_.");

		text = header >= 8 && length > header ? redact_mask(text, length) : text + header;
	}
}

enum character_class { SMALL, CAPITAL, DIGIT, OTHER };

static enum character_class class_of(char c)
{
	if (isdigit((unsigned char)c))
		return DIGIT;
	if (isupper((unsigned char)c))
		return CAPITAL;
	return islower((unsigned char)c) ? SMALL : OTHER;
}

/* What random strings have much of, and words little. */
struct texture {
	size_t of_class[4];
	size_t turns; /* changes of class from one character to the next */
};

static struct texture texture_of(const char *word, size_t length)
{
	struct texture texture = {0};

	for (size_t i = 0; i < length; i++) {
		texture.of_class[class_of(word[i])]++;
		texture.turns += i > 0 && class_of(word[i]) != class_of(word[i - 1]);
	}
	return texture;
}

static size_t letters_in(const struct texture *texture)
{
	return texture->of_class[SMALL] + texture->of_class[CAPITAL];
}

static bool random_segment(const char *word, size_t length)
{
	struct texture texture = texture_of(word, length);

	return length >= RANDOM_SEGMENT && texture.turns >= RANDOM_TURNS &&
	       texture.of_class[DIGIT] >= RANDOM_OF_EACH && letters_in(&texture) >= RANDOM_OF_EACH;
}

static bool random_with_slashes(const char *word, size_t length)
{
	struct texture texture = texture_of(word, length);

	return length >= RANDOM_SLASH_LENGTH && texture.turns >= RANDOM_SLASH_TURNS &&
	       texture.of_class[DIGIT] && texture.of_class[CAPITAL] >= RANDOM_OF_EACH &&
	       texture.of_class[SMALL] >= RANDOM_OF_EACH;
}

bool redact_looks_random(const char *word, size_t length)
{
	size_t start = 0;

	if (length < RANDOM_LENGTH)
		return false;
	if (memchr(word, '/', length))
		return word[0] != '/' && random_with_slashes(word, length);
	for (size_t i = 0; i <= length; i++) {
		if (i < length && word[i] != '-' && word[i] != '_')
			continue;
		if (random_segment(word + start, i - start))
			return true;
		start = i + 1;
	}
	return false;
}

/* A content digest names what everybody may see ("sha256:..."). */
static bool is_digest(const char *text, const char *word)
{
	return word - text >= 7 && memcmp(word - 7, "sha256:", 7) == 0;
}

/*
 * Base64 may hold slashes; where the whole is no secret, its pieces may be (a path with a token).
 */
static size_t secret_length(const char *word)
{
	size_t whole = strspn(word, LETTERS DIGITS "+/_=-");
	size_t piece = strspn(word, LETTERS DIGITS "+_=-");

	if (redact_looks_random(word, whole))
		return whole;
	return redact_looks_random(word, piece) ? piece : 0;
}

/* The part of "name=value" before the value: no part of the word. */
static size_t name_length(const char *word)
{
	size_t name = strspn(word, LETTERS DIGITS "_-");

	return word[name] == '=' && strspn(word + name, "=") != strlen(word + name) ? name + 1 : 0;
}

static void mask_random_words(char *text)
{
	char *word = text;

	while (*word) {
		size_t length;

		word += name_length(word);
		length = is_digest(text, word) ? 0 : secret_length(word);
		word = length ? redact_mask(word, length)
			      : word + strspn(word, LETTERS DIGITS "+_=-");
		word += *word != '\0';
	}
}

void redact_looks(char *text)
{
	mask_pem(text);
	mask_urls(text);
	mask_web_tokens(text);
	mask_random_words(text);
}
