# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# A node: a containerd with a network of its own, and a kubelet under a cgroup root of its own.
# Several of them live on one machine.
# shellcheck shell=bash disable=SC2154

containerd_socket() { echo "$state/$1/containerd.sock"; }

write_containerd_config() {
	local node=$1 root=$state/$1
	mkdir -p "$root/cni"
	cat >"$root/containerd.toml" <<-END
		version = 2
		root = "$root/containerd"
		state = "$root/run"
		disabled_plugins = ["io.containerd.snapshotter.v1.aufs",
			"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
			"io.containerd.snapshotter.v1.devmapper"]
		[grpc]
		address = "$(containerd_socket "$node")"
		[plugins."io.containerd.internal.v1.opt"]
		path = "$root/opt"
		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "localhost/pause:1"
		# Without CAP_SYS_RESOURCE runc cannot lower a score: "can't get final child's PID".
		restrict_oom_score_adj = true
		tolerate_missing_hugetlb_controller = true
		netns_mounts_under_state_dir = true
		stream_server_address = "127.0.0.1"
		stream_server_port = "0"
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "/usr/lib/cni"
		conf_dir = "$root/cni"
	END
	cat >"$root/cni/10-bridge.conf" <<-END
		{"cniVersion": "0.4.0", "name": "$(bridge_of "$node")", "type": "bridge",
		 "bridge": "$(bridge_of "$node")", "isGateway": true, "hairpinMode": true,
		 "ipam": {"type": "host-local", "dataDir": "$root/addresses",
		          "ranges": [[{"subnet": "${node_subnet[$node]}.0/24"}]],
		          "routes": [{"dst": "0.0.0.0/0"}]}}
	END
}

start_containerd() {
	local node=$1
	write_containerd_config "$node"
	share_mounts "$node"
	process_start "containerd-$node" "$here/node-view" "$state/$node" containerd --config "$state/$node/containerd.toml"
	wait_ready "containerd-$node" 30 ctr -a "$(containerd_socket "$node")" version
}

# Makes the cgroup root in every hierarchy. A v1 cpuset starts empty and takes no process so.
make_cgroup_root() {
	local root=$1 hierarchy file
	[ "$root" != / ] || return 0
	while read -r hierarchy; do
		mkdir -p "$hierarchy$root"
		for file in cpuset.cpus cpuset.mems; do
			[ -s "$hierarchy/$file" ] || continue
			cat "$hierarchy/$file" >"$hierarchy$root/$file"
		done
		[ -e "$hierarchy/cgroup.subtree_control" ] || continue
		sed 's/\</+/g' "$hierarchy/cgroup.controllers" >"$hierarchy/cgroup.subtree_control"
	done < <(awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/mounts)
}

# Nothing listens for DNS at the address given: a lookup fails at once instead of waiting.
write_kubelet_config() {
	local node=$1 address=${node_subnet[$1]}.1
	cat >"$state/$node/kubelet.yaml" <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		address: $address
		port: 10250
		readOnlyPort: 0
		healthzBindAddress: 127.0.0.1
		healthzPort: ${node_health_port[$node]}
		authentication:
		  anonymous: {enabled: false}
		  webhook: {enabled: true}
		  x509: {clientCAFile: $certificates/ca.crt}
		authorization: {mode: Webhook}
		cgroupDriver: cgroupfs
		cgroupRoot: ${node_cgroup_root[$node]}
		enforceNodeAllocatable: []
		failSwapOn: false
		oomScoreAdj: 0
		evictionHard: {nodefs.available: 1%, imagefs.available: 1%, memory.available: 50Mi}
		nodeStatusUpdateFrequency: 2s
		nodeStatusReportFrequency: 5m
		imageGCHighThresholdPercent: 100
		imageGCLowThresholdPercent: 99
		serializeImagePulls: false
		clusterDNS: [$address]
		clusterDomain: cluster.local
		volumePluginDir: $state/$node/volume-plugins
	END
}

# Agents look up tracepoints here; systemd would have mounted it.
mount_tracefs() {
	grep -q ' /sys/kernel/tracing tracefs ' /proc/mounts && return
	mount -t tracefs tracefs /sys/kernel/tracing
	touch "$state/mounted-tracefs"
}

# Volumes that the kubelet mounts must be seen by its containerd, each in a view of its own. The
# folders that the views replace are made here, and noted if they were not there.
share_mounts() {
	local node=$1 fixed
	mountpoint -q "$state/$node" && return
	mount --bind "$state/$node" "$state/$node"
	mount --make-shared "$state/$node"
	for fixed in /var/log/pods /var/log/containers /var/lib/kubelet; do
		[ ! -e "$fixed" ] || continue
		mkdir -p "$fixed"
		echo "$fixed" >>"$state/made-folders"
	done
}

start_kubelet() {
	local node=$1
	make_cgroup_root "${node_cgroup_root[$node]}"
	write_kubelet_config "$node"
	process_start "kubelet-$node" "$here/node-view" "$state/$node" "$programs/kubelet" \
		--config "$state/$node/kubelet.yaml" --root-dir "$state/$node/kubelet" \
		--cert-dir "$state/$node/kubelet-certificates" \
		--kubeconfig "$certificates/$node.kubeconfig" \
		--hostname-override "$node" --node-ip "${node_subnet[$node]}.1" \
		--node-labels "pool=${node_pool[$node]}" \
		--container-runtime remote --pod-infra-container-image localhost/pause:1 \
		--container-runtime-endpoint "unix://$(containerd_socket "$node")"
	wait_ready "kubelet-$node" 60 \
		curl -fsS "http://127.0.0.1:${node_health_port[$node]}/healthz"
}

node_ready() {
	[ "$(kubectl get node "$1" -o \
		'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}

wait_node_ready() { wait_ready "kubelet-$1" 60 node_ready "$1"; }
