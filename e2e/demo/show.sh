# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# What the demo shows: tables of policies, events, metrics, and of what the kernel runs for whom.
# shellcheck shell=bash disable=SC2154

title() {
	local bold='' plain=''
	[ -t 1 ] && bold=$'\e[1m' plain=$'\e[0m'
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

indent() { sed 's/^/  /'; }

agents() {
	kubectl -n skep-system get pods -l app.kubernetes.io/name=skep-node-agent -o name
}

show_policies() {
	title "kubectl get observabilitypolicies -A"
	kubectl get observabilitypolicies -A | indent
}

# Lines of the agents' logs that are events, as JSON.
exec_events() {
	local agent
	for agent in $(agents); do
		kubectl -n skep-system logs "$agent" --since=60s
	done | jq -cR 'fromjson? | select(.type == "Exec" and .namespace == "shop")'
}

some_exec_events() { [ "$(exec_events | head -n 4 | wc -l)" -ge 4 ]; }

show_exec_events() {
	title "commands that ran in shop (events of the agents: kubectl logs)"
	exec_events | jq -rs 'sort_by(.time)[-8:]
		| (["TIME", "POD", "CONTAINER", "PID", "UID", "COMMAND"]),
		(.[] | [.time[11:23], .pod, .container // "-", .pid, .uid,
			(.arguments // [.binary] | join(" "))])
		| @tsv' | column -t -s $'\t' | indent
}

agent_metrics() {
	local agent
	for agent in $(agents); do
		kubectl get --raw \
			"/api/v1/namespaces/skep-system/pods/${agent#pod/}:9810/proxy/metrics"
	done
}

show_tcp_metrics() {
	title "TCP of shop, edge by edge (http://AGENT:9810/metrics)"
	agent_metrics | awk -F '[{}]' '
		function label(name, found) {
			if (!match($2, "(^|,)" name "=\"[^\"]*\""))
				return ""
			found = substr($2, RSTART, RLENGTH - 1)
			sub(/^.*="/, "", found)
			return found
		}
		/^skep_tcp_/ && label("role") && label("k8s_namespace_name") == "shop" {
			edge = label("k8s_(deployment|pod)_name") "\t" label("role") "\t" \
				label("peer_kind") "/" label("peer_name") "\t" label("server_port")
			edges[edge]
			value[edge, substr($1, 10)] += $3
		}
		END {
			print "WORKLOAD\tROLE\tPEER\tPORT\tCONNECTIONS\tREFUSED\tSENT\tRECEIVED\tRETRANSMITTED\tMEAN RTT"
			for (edge in edges) {
				looks = value[edge, "srtt_seconds_count"]
				rtt = looks ? 1e6 * value[edge, "srtt_seconds_sum"] / looks : 0
				begun = value[edge, "connections_opened_total"]
				begun += value[edge, "connections_accepted_total"]
				printf "%s\t%d\t%d\t%d B\t%d B\t%d\t%d us\n", edge, begun,
					value[edge, "connects_refused_total"],
					value[edge, "sent_bytes_total"],
					value[edge, "received_bytes_total"],
					value[edge, "retransmitted_packets_total"], rtt
			}
		}' | column -t -s $'\t' | indent
}

# The cgroup of a pod in the v2 hierarchy, by its UID in either driver's spelling.
pod_cgroup() {
	find /sys/fs/cgroup -type d \( -name "pod$1" -o -name "*pod${1//-/_}.slice" \) \
		-exec test -e {}/cgroup.controllers \; -print -quit
}

programs_of() {
	local names
	names=$(bpftool -j cgroup show "$1" | jq -r '[.[]?.attach_type] | join(" ")')
	echo "${names:-none}"
}

show_attached() {
	local namespace name uid node
	title "what the kernel runs for each pod (BPF_PROG_QUERY on its cgroup)"
	{
		printf 'NAMESPACE\tPOD\tNODE\tPROGRAMS\n'
		pods_of_demo | while read -r namespace name uid node; do
			printf '%s\t%s\t%s\t%s\n' "$namespace" "$name" "$node" \
				"$(programs_of "$(pod_cgroup "$uid")")"
		done
	} | column -t -s $'\t' | indent
}

pods_of_demo() {
	local namespace
	for namespace in shop bank; do
		kubectl -n "$namespace" get pods -o json | jq -r '.items[]
			| select(.metadata.deletionTimestamp == null)
			| [.metadata.namespace, .metadata.name, .metadata.uid, .spec.nodeName] | @tsv'
	done
}
