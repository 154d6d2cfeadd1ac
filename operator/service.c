// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/service.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "operator/timestamp.h"

struct service *service_free(struct service *service)
{
	if (!service)
		return NULL;
	free(service->id);
	free(service->namespace);
	free(service->name);
	free(service->external);
	labels_free(&service->selector);
	free(service->ports);
	free(service);
	return NULL;
}

/* "None" of a headless Service is no address. */
static void add_cluster_address(struct service *service, const cJSON *item)
{
	struct ip_address address;

	if (service->cluster_count == SERVICE_CLUSTER_ADDRESSES_LIMIT ||
	    !ip_address_parse(json_string_of(item), &address))
		return;
	for (size_t i = 0; i < service->cluster_count; i++)
		if (memcmp(&service->cluster[i], &address, sizeof(address)) == 0)
			return;
	service->cluster[service->cluster_count++] = address;
}

/* Servers before 1.20 know one address only. */
static void decode_cluster_addresses(const cJSON *spec, struct service *service)
{
	const cJSON *item;

	add_cluster_address(service, json_find(spec, "clusterIP"));
	cJSON_ArrayForEach(item, json_find(spec, "clusterIPs"))
		add_cluster_address(service, item);
}

static void add_external_address(struct service *service, const char *text)
{
	if (service->external_count < SERVICE_EXTERNAL_ADDRESSES_LIMIT &&
	    ip_address_parse(text, &service->external[service->external_count]))
		service->external_count++;
}

static int decode_external_addresses(const cJSON *object, struct service *service)
{
	const cJSON *external = json_find(object, "spec", "externalIPs"), *item;
	const cJSON *ingress = json_find(object, "status", "loadBalancer", "ingress");

	if (!cJSON_GetArraySize(external) && !cJSON_GetArraySize(ingress))
		return 0;
	service->external = calloc(SERVICE_EXTERNAL_ADDRESSES_LIMIT, sizeof(*service->external));
	if (!service->external)
		return -ENOMEM;
	cJSON_ArrayForEach(item, external)
		add_external_address(service, json_string_of(item));
	cJSON_ArrayForEach(item, ingress)
		add_external_address(service, json_string(item, "ip"));
	return 0;
}

static bool decode_port(const cJSON *item, struct service_port *ret_port)
{
	const cJSON *target = json_find(item, "targetPort");
	const char *protocol = json_text(item, "protocol");
	int64_t number = json_integer(item, 0, "port");
	/* Without a target, the port itself; a target that is a string is the name of a port. */
	int64_t target_number = target ? json_integer_of(target, 0) : number;
	struct service_port port = {.port = (uint16_t)number, .target = (uint16_t)target_number};

	if (number <= 0 || number > UINT16_MAX || target_number < 0 || target_number > UINT16_MAX)
		return false;
	snprintf(port.protocol, sizeof(port.protocol), "%s", *protocol ? protocol : "TCP");
	for (char *at = port.protocol; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	*ret_port = port;
	return true;
}

static int decode_ports(const cJSON *spec, struct service *service)
{
	const cJSON *ports = json_find(spec, "ports"), *item;
	int count = cJSON_GetArraySize(ports);

	if (count <= 0)
		return 0;
	if (count > SERVICE_PORTS_LIMIT)
		count = SERVICE_PORTS_LIMIT;
	service->ports = calloc((size_t)count, sizeof(*service->ports));
	if (!service->ports)
		return -ENOMEM;
	cJSON_ArrayForEach(item, ports) {
		if (service->port_count < (size_t)count &&
		    decode_port(item, &service->ports[service->port_count]))
			service->port_count++;
	}
	return 0;
}

static int decode_members(const cJSON *object, struct service *service)
{
	const char *namespace = json_text(object, "metadata", "namespace");
	const char *name = json_text(object, "metadata", "name");
	const cJSON *spec = json_find(object, "spec");
	int result;

	if (!*namespace || !*name)
		return -EINVAL;
	service->namespace = strdup(namespace);
	service->name = strdup(name);
	if (!service->namespace || !service->name)
		return -ENOMEM;
	if (asprintf(&service->id, "%s/%s", namespace, name) < 0) {
		service->id = NULL;
		return -ENOMEM;
	}
	service->created = timestamp_parse(json_text(object, "metadata", "creationTimestamp"));
	decode_cluster_addresses(spec, service);
	result = decode_external_addresses(object, service);
	if (result == 0)
		result = labels_decode(json_find(spec, "selector"), &service->selector);
	return result < 0 ? result : decode_ports(spec, service);
}

int service_decode(const cJSON *object, struct service **ret_service)
{
	struct service *service = calloc(1, sizeof(*service));
	int result;

	if (!service)
		return -ENOMEM;
	result = decode_members(object, service);
	if (result < 0) {
		service_free(service);
		return result;
	}
	*ret_service = service;
	return 0;
}

static bool ports_equal(const struct service *a, const struct service *b)
{
	if (a->port_count != b->port_count)
		return false;
	for (size_t i = 0; i < a->port_count; i++)
		if (a->ports[i].port != b->ports[i].port ||
		    a->ports[i].target != b->ports[i].target ||
		    strcmp(a->ports[i].protocol, b->ports[i].protocol) != 0)
			return false;
	return true;
}

static bool addresses_equal(const struct ip_address *a, size_t a_count, const struct ip_address *b,
			    size_t b_count)
{
	return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof(*a)) == 0);
}

bool service_equal(const struct service *a, const struct service *b)
{
	return strcmp(a->id, b->id) == 0 && a->created == b->created &&
	       addresses_equal(a->cluster, a->cluster_count, b->cluster, b->cluster_count) &&
	       addresses_equal(a->external, a->external_count, b->external, b->external_count) &&
	       labels_equal(&a->selector, &b->selector) && ports_equal(a, b);
}

const struct service_port *service_find_port(const struct service *service, const char *protocol,
					     uint16_t port)
{
	for (size_t i = 0; i < service->port_count; i++)
		if (service->ports[i].port == port &&
		    strcmp(service->ports[i].protocol, protocol) == 0)
			return &service->ports[i];
	return NULL;
}
