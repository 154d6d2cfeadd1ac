/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * How kubelets and container runtimes name cgroups, with both cgroup drivers. Pure.
 *
 *   cgroupfs  kubepods/burstable/pod<UID>/<ID>
 *   systemd   kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<U_I_D>.slice/
 *             cri-containerd-<ID>.scope
 *
 * below any parent that the kubelet was given (--cgroup-root), which the systemd driver repeats in
 * front of each name (kubelet-kubepods-...). Guaranteed pods have no QoS folder.
 * Source: kubernetes pkg/kubelet/cm/cgroup_manager_linux.go, qos_container_manager_linux.go.
 */
#ifndef SKEP_NODE_AGENT_PODS_NAMING_H
#define SKEP_NODE_AGENT_PODS_NAMING_H

#include <stdbool.h>

#define POD_UID_SIZE	  65  /* bytes of a pod's UID, with the NUL */
#define CONTAINER_ID_SIZE 129 /* bytes of a container's ID, with the NUL */

/* What a folder in the cgroup hierarchy is to us. */
enum folder_role {
	FOLDER_IGNORED,
	FOLDER_SEARCHED, /* may hold kubepods somewhere below */
	FOLDER_KUBEPODS, /* where a kubelet keeps its pods */
	FOLDER_QOS,	 /* the pods of one quality of service */
	FOLDER_POD,
	FOLDER_CONTAINER,
};

/* Whether `uid` is one: lower-case hexadecimal digits and dashes, not empty, not too long. */
bool pod_uid_is_valid(const char *uid);

/* What the folder `name` is, being in a folder of the role `parent`. */
enum folder_role folder_role(enum folder_role parent, const char *name);

/*
 * Reads the UID out of a pod's folder name. Returns false, ret_uid untouched, where there is none.
 */
bool folder_pod_uid(const char *name, char ret_uid[POD_UID_SIZE]);

/*
 * Reads the container's ID out of its folder name; false where there is none, which is so for the
 * monitors that CRI-O puts beside its containers.
 */
bool folder_container_id(const char *name, char ret_id[CONTAINER_ID_SIZE]);

#endif
