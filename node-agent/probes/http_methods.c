// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_methods.h"

#include "bpf/lib/http_head.h"

static const char *const methods[HTTP_METHODS] = {
	[HTTP_METHOD_OTHER] = "_OTHER",	   [HTTP_METHOD_GET] = "GET",
	[HTTP_METHOD_HEAD] = "HEAD",	   [HTTP_METHOD_POST] = "POST",
	[HTTP_METHOD_PUT] = "PUT",	   [HTTP_METHOD_DELETE] = "DELETE",
	[HTTP_METHOD_CONNECT] = "CONNECT", [HTTP_METHOD_OPTIONS] = "OPTIONS",
	[HTTP_METHOD_TRACE] = "TRACE",	   [HTTP_METHOD_PATCH] = "PATCH",
};

const char *http_method_name(unsigned int method)
{
	return methods[method < HTTP_METHODS ? method : HTTP_METHOD_OTHER];
}
