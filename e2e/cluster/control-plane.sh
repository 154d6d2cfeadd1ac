# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# The control plane: each component's start is one function, named start_<component>.
# shellcheck shell=bash disable=SC2154

start_etcd() {
	process_start etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync --logger zap \
		--listen-client-urls "$etcd_client" --advertise-client-urls "$etcd_client" \
		--listen-peer-urls "$etcd_peer" --initial-advertise-peer-urls "$etcd_peer" \
		--initial-cluster "default=$etcd_peer"
	wait_ready etcd 30 curl -fsS "$etcd_client/health"
}

start_kube-apiserver() {
	local key=$certificates/service-account
	process_start kube-apiserver "$programs/kube-apiserver" \
		--etcd-servers "$etcd_client" \
		--bind-address "$control_address" --advertise-address "$control_address" \
		--secure-port 6443 --insecure-port 0 \
		--tls-cert-file "$certificates/kube-apiserver.crt" \
		--tls-private-key-file "$certificates/kube-apiserver.key" \
		--client-ca-file "$certificates/ca.crt" \
		--kubelet-client-certificate "$certificates/admin.crt" \
		--kubelet-client-key "$certificates/admin.key" \
		--kubelet-preferred-address-types InternalIP \
		--service-account-issuer https://kubernetes.default.svc \
		--service-account-key-file "$key.pub" \
		--service-account-signing-key-file "$key.key" \
		--service-cluster-ip-range "$service_range" \
		--authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
		--allow-privileged=true --profiling=false
	wait_ready kube-apiserver 60 kubectl get --raw /readyz
}

start_kube-controller-manager() {
	process_start kube-controller-manager "$programs/kube-controller-manager" \
		--kubeconfig "$certificates/kube-controller-manager.kubeconfig" \
		--root-ca-file "$certificates/ca.crt" \
		--service-account-private-key-file "$certificates/service-account.key" \
		--use-service-account-credentials --leader-elect=false --profiling=false \
		--bind-address 127.0.0.1 --secure-port "$controller_manager_port" --port 0 \
		--cert-dir "$state/kube-controller-manager"
	wait_ready kube-controller-manager 60 kubectl get serviceaccount default
}

start_kube-scheduler() {
	process_start kube-scheduler "$programs/kube-scheduler" \
		--kubeconfig "$certificates/kube-scheduler.kubeconfig" \
		--leader-elect=false --profiling=false \
		--bind-address 127.0.0.1 --secure-port "$scheduler_port" --port 0 \
		--cert-dir "$state/kube-scheduler"
	wait_ready kube-scheduler 30 curl -fsSk "https://127.0.0.1:$scheduler_port/healthz"
}

# One for the machine: both nodes' pods pass through its one set of rules.
start_kube-proxy() {
	cat >"$state/kube-proxy.yaml" <<-END
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		clientConnection: {kubeconfig: $certificates/kube-proxy.kubeconfig}
		mode: iptables
		clusterCIDR: $pod_range
		hostnameOverride: node-a
		bindAddress: 127.0.0.1
		healthzBindAddress: 127.0.0.1:$proxy_health_port
		metricsBindAddress: 127.0.0.1:$proxy_metrics_port
		nodePortAddresses: [127.0.0.0/8]
		oomScoreAdj: 0
		iptables: {minSyncPeriod: 0s, syncPeriod: 30s}
		conntrack:
		  {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
	END
	process_start kube-proxy "$programs/kube-proxy" --config "$state/kube-proxy.yaml"
	wait_ready kube-proxy 30 curl -fsS "http://127.0.0.1:$proxy_health_port/healthz"
}
