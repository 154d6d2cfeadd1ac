# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# Ends and removes everything that the cluster started or made, from its records and from what the
# kernel says, so that it also works after a crash. Touches nothing that is not the cluster's.
# shellcheck shell=bash disable=SC2154

# The shims of our containerds, known by the socket that each was given.
shims() {
	local file
	for file in /proc/[0-9]*/cmdline; do
		grep -qa "containerd-shim.*address.$state/" "$file" 2>/dev/null || continue
		basename "${file%/cmdline}"
	done
}

children_of() { cat "/proc/$1/task/"*/children 2>/dev/null || true; }

# A container's first process takes all others of its process namespace with it.
end_containers() {
	local shim child
	for shim in $(shims); do
		for child in $(children_of "$shim"); do kill -KILL "$child" 2>/dev/null || true; done
		kill -KILL "$shim" 2>/dev/null || true
	done
}

# All at once; containers last, when nobody is left to start them again.
end_processes() {
	local record ending=()
	for record in "$records"/*; do
		[ -e "$record" ] || continue
		process_stop "${record##*/}" &
		ending+=($!)
	done
	wait_all "${ending[@]}"
	end_containers
}

remove_mounts() {
	local point
	awk -v root="$state/" 'index($5, root) == 1 {print $5}' /proc/self/mountinfo | sort -r |
		while read -r point; do umount -l "$point" 2>/dev/null || true; done
	[ ! -e "$state/mounted-tracefs" ] || umount /sys/kernel/tracing || true
}

# Shims leave their sockets in a folder that is fixed in containerd; one without a listener is dead.
remove_dead_sockets() {
	local socket
	for socket in /run/containerd/s/*; do
		[ -S "$socket" ] || continue
		grep -q "$socket" /proc/net/unix || rm -f "$socket"
	done
}

# CNI results and the agents' state lie in fixed folders; ours are known by sandbox and by node.
remove_traces() {
	local path
	for path in "$state"/*/containerd/io.containerd.grpc.v1.cri/sandboxes/*; do
		rm -f /var/lib/cni/results/*"${path##*/}"*
	done
	for path in $nodes; do rm -rf "/var/lib/skep/$path"; done
	rmdir /var/lib/skep 2>/dev/null || true
	[ ! -e "$state/made-folders" ] || xargs rmdir <"$state/made-folders" 2>/dev/null || true
}

# Only empty cgroups can be removed, so nobody else's pods are in danger.
remove_cgroups() {
	local hierarchy node root
	while read -r hierarchy; do
		for node in $nodes; do
			root=${node_cgroup_root[$node]}
			[ "$root" = / ] && root=/kubepods
			find "$hierarchy$root" -depth -type d -exec rmdir {} + 2>/dev/null || true
		done
	done < <(awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/mounts)
}

clean() {
	end_processes
	remove_mounts
	remove_dead_sockets
	remove_traces
	remove_cgroups
	remove_network
	rm -rf "$state"
}
