// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/pods/naming.h"

#include <stddef.h>
#include <string.h>

/* IDs of containers have 64 digits; shorter words are somebody's own folders. */
#define CONTAINER_ID_LEAST 32

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

bool pod_uid_is_valid(const char *uid)
{
	size_t length = strlen(uid);

	if (length == 0 || length >= POD_UID_SIZE || uid[0] == '-')
		return false;
	for (; *uid; uid++)
		if (!is_hex(*uid) && *uid != '-')
			return false;
	return true;
}

/* Copies `length` bytes, underscores as dashes, if they are a UID. */
static bool copy_uid(const char *from, size_t length, char ret_uid[POD_UID_SIZE])
{
	char uid[POD_UID_SIZE] = "";

	if (length >= sizeof(uid))
		return false;
	for (size_t i = 0; i < length; i++)
		uid[i] = from[i] == '_' ? '-' : from[i];
	if (!pod_uid_is_valid(uid))
		return false;
	memcpy(ret_uid, uid, sizeof(uid));
	return true;
}

/* The last "-pod" of a systemd slice's name: no UID has a "p". */
static const char *find_pod_mark(const char *name)
{
	const char *mark = NULL;

	for (const char *at = name; (at = strstr(at, "-pod")); at++)
		mark = at;
	return mark;
}

bool folder_pod_uid(const char *name, char ret_uid[POD_UID_SIZE])
{
	const char *mark;

	if (strncmp(name, "pod", 3) == 0)
		return !strchr(name, '_') && copy_uid(name + 3, strlen(name + 3), ret_uid);
	mark = find_pod_mark(name);
	if (!mark || !strstr(name, "kubepods") || !has_suffix(name, ".slice"))
		return false;
	mark += strlen("-pod");
	return copy_uid(mark, strlen(mark) - strlen(".slice"), ret_uid);
}

bool folder_container_id(const char *name, char ret_id[CONTAINER_ID_SIZE])
{
	size_t length = strlen(name);
	const char *dash;

	if (strncmp(name, "crio-conmon-", strlen("crio-conmon-")) == 0)
		return false;
	if (has_suffix(name, ".scope"))
		length -= strlen(".scope");
	dash = memrchr(name, '-', length);
	if (dash) {
		length -= (size_t)(dash + 1 - name);
		name = dash + 1;
	}
	if (length < CONTAINER_ID_LEAST || length >= CONTAINER_ID_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_hex(name[i]))
			return false;
	memcpy(ret_id, name, length);
	ret_id[length] = '\0';
	return true;
}

static bool is_kubepods(const char *name)
{
	return strcmp(name, "kubepods") == 0 || strcmp(name, "kubepods.slice") == 0 ||
	       has_suffix(name, "-kubepods.slice");
}

static bool is_qos(const char *name)
{
	static const char *const slices[] = {"kubepods-burstable.slice",
					     "kubepods-besteffort.slice"};

	return strcmp(name, "burstable") == 0 || strcmp(name, "besteffort") == 0 ||
	       has_suffix(name, slices[0]) || has_suffix(name, slices[1]);
}

/* Units of systemd that hold processes of a service, never a kubelet's pods. */
static bool is_leaf_unit(const char *name)
{
	return has_suffix(name, ".service") || has_suffix(name, ".mount") ||
	       has_suffix(name, ".socket") || has_suffix(name, ".swap");
}

enum folder_role folder_role(enum folder_role parent, const char *name)
{
	char uid[POD_UID_SIZE], id[CONTAINER_ID_SIZE];

	switch (parent) {
	case FOLDER_SEARCHED:
		if (is_kubepods(name))
			return FOLDER_KUBEPODS;
		return is_leaf_unit(name) ? FOLDER_IGNORED : FOLDER_SEARCHED;
	case FOLDER_KUBEPODS:
		if (is_qos(name))
			return FOLDER_QOS;
		return folder_pod_uid(name, uid) ? FOLDER_POD : FOLDER_IGNORED;
	case FOLDER_QOS:
		return folder_pod_uid(name, uid) ? FOLDER_POD : FOLDER_IGNORED;
	case FOLDER_POD:
		return folder_container_id(name, id) ? FOLDER_CONTAINER : FOLDER_IGNORED;
	default:
		return FOLDER_IGNORED;
	}
}
