// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/certificate_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/net/tls.h"
#include "operator/ca_config_map.h"

struct certificate_files {
	struct kube_client *client;
	char *namespace;
	struct certificate_paths paths;
	certificates_handler ready;
	void *context;
	uv_timer_t timer;
	struct pki_bundle bundle; /* that is served; its CA is published */
	struct pki_bundle found;  /* of this round */
	bool troubled;		  /* which has been logged */
};

static void on_timer(uv_timer_t *timer);

static void look_again(struct certificate_files *files)
{
	uv_timer_start(&files->timer, on_timer, CERTIFICATE_FILES_LOOK_MS, 0);
}

static void tell_trouble(struct certificate_files *files, const char *why)
{
	if (!files->troubled)
		log_warn("the certificates that are given are not used: %s; %s, and looking again "
			 "every %d s",
			 why,
			 files->bundle.certificate ? "going on with those before"
						   : "agents are not let in",
			 CERTIFICATE_FILES_LOOK_MS / 1000);
	files->troubled = true;
}

static int read_file(const char *path, char **ret_text, struct error *error)
{
	struct text text = TEXT_EMPTY;
	int result = file_read(path, CERTIFICATE_FILE_LIMIT, &text, error);

	if (result < 0)
		return result;
	if (!text.data)
		return error_set(error, EINVAL, "%s is empty", path);
	*ret_text = text.data;
	return 0;
}

static int read_files(struct certificate_files *files, struct error *error)
{
	struct pki_bundle *found = &files->found;
	int result = read_file(files->paths.certificate, &found->certificate, error);

	if (result == 0)
		result = read_file(files->paths.key, &found->key, error);
	if (result == 0 && *files->paths.ca)
		result = read_file(files->paths.ca, &found->ca_certificate, error);
	if (result == 0)
		result = net_tls_server_check(found->certificate, found->key, error);
	return result;
}

static bool text_equal(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

static void serve(struct certificate_files *files)
{
	pki_bundle_free(&files->bundle);
	files->bundle = files->found;
	files->found = (struct pki_bundle){0};
	files->troubled = false;
	log_info("serving with the certificate of %s", files->paths.certificate);
	files->ready(files->context, &files->bundle);
}

static void on_published(void *context, const struct kube_response *response)
{
	struct certificate_files *files = context;

	if (response->reason)
		tell_trouble(files, response->reason);
	else
		serve(files);
	look_again(files);
}

/* The CA goes out before what it signed serves. */
static void take_found(struct certificate_files *files)
{
	struct error error;

	if (text_equal(files->found.ca_certificate, files->bundle.ca_certificate)) {
		serve(files);
	} else if (ca_config_map_publish(files->client, files->namespace,
					 files->found.ca_certificate, on_published, files,
					 &error) == 0) {
		return; /* goes on there */
	} else {
		tell_trouble(files, error.message);
	}
	look_again(files);
}

static bool is_as_before(const struct certificate_files *files)
{
	return text_equal(files->found.certificate, files->bundle.certificate) &&
	       text_equal(files->found.key, files->bundle.key) &&
	       text_equal(files->found.ca_certificate, files->bundle.ca_certificate);
}

static void on_timer(uv_timer_t *timer)
{
	struct certificate_files *files = timer->data;
	struct error error;

	pki_bundle_free(&files->found);
	if (read_files(files, &error) < 0) {
		tell_trouble(files, error.message);
		look_again(files);
	} else if (is_as_before(files)) {
		files->troubled = false;
		look_again(files);
	} else {
		take_found(files);
	}
}

int certificate_files_new(struct kube_client *client, uv_loop_t *loop, const char *namespace,
			  const struct certificate_paths *paths, certificates_handler ready,
			  void *context, struct certificate_files **ret_files, struct error *error)
{
	struct certificate_files *files = calloc(1, sizeof(*files));

	if (files)
		files->namespace = strdup(namespace);
	if (!files || !files->namespace) {
		free(files);
		return error_set(error, ENOMEM, "out of memory");
	}
	files->client = client;
	files->paths = *paths;
	files->ready = ready;
	files->context = context;
	uv_timer_init(loop, &files->timer);
	files->timer.data = files;
	uv_timer_start(&files->timer, on_timer, 0, 0);
	*ret_files = files;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct certificate_files *files = handle->data;

	pki_bundle_free(&files->bundle);
	pki_bundle_free(&files->found);
	free(files->namespace);
	free(files);
}

struct certificate_files *certificate_files_free(struct certificate_files *files)
{
	if (files)
		uv_close((uv_handle_t *)&files->timer, on_closed);
	return NULL;
}
