# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# What every script of the cluster shares: its folders and addresses, progress lines, and processes
# that are recorded when they start so that exactly they are ended later.
# shellcheck shell=bash disable=SC2034

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
state=${SKEP_CLUSTER:-${XDG_STATE_HOME:-$HOME/.local/state}/skep/cluster}
certificates=$state/certificates
logs=$state/logs
records=$state/processes
programs=$state/programs
kubeconfig=$state/kubeconfig

# Everything listens on loopback or on an address of one of the cluster's own bridges.
network=${SKEP_CLUSTER_NETWORK:-10.123}
service_range=$network.128.0/17
kubernetes_service=$network.128.1
pod_range=$network.0.0/17
control_address=$network.0.1
api_server=https://$control_address:6443
etcd_client=http://127.0.0.1:23790
etcd_peer=http://127.0.0.1:23800
controller_manager_port=24257
scheduler_port=24259
proxy_health_port=24256
proxy_metrics_port=24249

# name, bridge subnet, cgroup root, port of the kubelet's health check, value of the label "pool"
nodes="node-a node-b"
declare -A node_subnet=([node-a]=$network.1 [node-b]=$network.2)
declare -A node_cgroup_root=([node-a]=/ [node-b]=/node-b)
declare -A node_health_port=([node-a]=24261 [node-b]=24262)
declare -A node_pool=([node-a]=stable [node-b]=canary)

say() { echo "${speaker:-cluster}: $*" >&2; }

die() {
	say "$*"
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "nodes need root (cgroups, mounts, bridges): run it as root"
}

# Runs a function; its title is shown at the end, with the seconds that it took: one write, as
# several steps may run at once.
step() {
	local title=$1 begin=${EPOCHREALTIME/./} took
	shift
	"$@" || die "$title: failed"
	took=$(((${EPOCHREALTIME/./} - begin) / 100000))
	printf '  %-34s%4d.%d s\n' "$title" $((took / 10)) $((took % 10)) >&2
}

# Waits for every process given; fails if one of them failed.
wait_all() {
	local pid failed=0
	for pid in "$@"; do wait "$pid" || failed=1; done
	return $failed
}

# Says what went wrong with a component and shows the end of its log.
fail_with_log() {
	local component=$1
	shift
	say "$component $*; the end of its log ($logs/$component.log):"
	tail -n 20 "$logs/$component.log" >&2 || true
	return 1
}

# A process's start time in clock ticks since boot: with the id it names one process for ever.
process_start_time() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	stat=${stat##*) }
	[ "${stat%% *}" != Z ] || return 1
	awk '{print $20}' <<<"$stat"
}

process_running() {
	local pid started
	[ -r "$records/$1" ] || return 1
	read -r pid started <"$records/$1"
	[ "$(process_start_time "$pid")" = "$started" ]
}

# process_start NAME COMMAND...: in a session of its own, output to the log of that name.
process_start() {
	local name=$1 pid
	shift
	mkdir -p "$logs" "$records"
	setsid "$@" >>"$logs/$name.log" 2>&1 </dev/null &
	pid=$!
	echo "$pid $(process_start_time "$pid")" >"$records/$name"
	disown
}

process_signal() {
	local pid _
	process_running "$2" || return 0
	read -r pid _ <"$records/$2"
	kill "-$1" "$pid" 2>/dev/null || true
}

# Asks the process to end, makes it end after two seconds (the API server would wait a minute for
# its watchers), forgets it.
process_stop() {
	local name=$1 i
	process_signal TERM "$name"
	for ((i = 0; i < 20; i++)); do
		process_running "$name" || break
		sleep 0.1
	done
	process_signal KILL "$name"
	while process_running "$name"; do sleep 0.05; done
	rm -f "$records/$name"
}

# wait_ready NAME SECONDS COMMAND...: until the command succeeds; fails early if the process ends.
wait_ready() {
	local name=$1 deadline=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		process_running "$name" || { fail_with_log "$name" "ended while starting"; return 1; }
		((SECONDS < deadline)) || { fail_with_log "$name" "did not become ready"; return 1; }
		sleep 0.1
	done
}

kubectl() { "$programs/kubectl" --kubeconfig "$kubeconfig" "$@"; }
