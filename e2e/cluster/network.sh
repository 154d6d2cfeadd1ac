# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# The bridges of the control plane and of the nodes, the kernel settings that a node changes (kept,
# to be put back), and the rules that let pods of different nodes reach each other.
# shellcheck shell=bash disable=SC2154

bridge_of() { echo "skep-$1"; }

# What we, the kubelet and kube-proxy set.
changed_settings="net.ipv4.ip_forward net.ipv4.conf.all.route_localnet vm.overcommit_memory
	vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys
	kernel.keys.root_maxbytes"

keep_settings() {
	local name
	[ -e "$state/settings" ] && return
	for name in $changed_settings; do
		echo "$name=$(sysctl -n "$name")"
	done >"$state/settings"
}

restore_settings() {
	[ -e "$state/settings" ] || return 0
	sysctl -q -p "$state/settings" || true
}

make_bridge() {
	local bridge=$1 address=$2
	ip link show "$bridge" >/dev/null 2>&1 && return
	ip link add "$bridge" type bridge
	# Set, it stays: else it is the lowest of the pods', and each new pod that has a lower one cuts
	# the others off for seconds.
	ip link set "$bridge" address "$(<"/sys/class/net/$bridge/address")"
	ip address add "$address/24" dev "$bridge"
	ip link set "$bridge" up
}

# A machine whose FORWARD policy is DROP (one with another container engine) needs these.
allow_forwarding() {
	iptables -w -N SKEP-FORWARD 2>/dev/null || return 0
	iptables -w -A SKEP-FORWARD -s "$pod_range" -j ACCEPT
	iptables -w -A SKEP-FORWARD -d "$pod_range" -j ACCEPT
	iptables -w -I FORWARD -j SKEP-FORWARD
}

make_control_network() { make_bridge skep-control "$control_address"; }

make_node_network() {
	local node
	keep_settings
	for node in $nodes; do make_bridge "$(bridge_of "$node")" "${node_subnet[$node]}.1"; done
	sysctl -q -w net.ipv4.ip_forward=1
	allow_forwarding
}

# Removes the chains of kube-proxy, the kubelets and ourselves, with every rule that names them.
remove_rules() {
	local family
	for family in iptables ip6tables; do
		"$family-save" 2>/dev/null | grep -qE 'KUBE-|SKEP-' || continue
		"$family-save" | grep -vE 'KUBE-|SKEP-' | "$family-restore" -w
	done
}

remove_network() {
	local name
	remove_rules
	for name in control $nodes; do ip link delete "$(bridge_of "$name")" 2>/dev/null || true; done
	restore_settings
}
