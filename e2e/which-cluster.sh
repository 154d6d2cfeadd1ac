# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# Which cluster is meant: the one of e2e/cluster/up, or the one that KUBECONFIG names.
# shellcheck shell=bash disable=SC2154

own_cluster() { [ -z "${KUBECONFIG:-}" ] || [ "$KUBECONFIG" = "$kubeconfig" ]; }

if own_cluster; then
	export KUBECONFIG=$kubeconfig
	export PATH=$programs:$PATH
fi
unset -f kubectl
