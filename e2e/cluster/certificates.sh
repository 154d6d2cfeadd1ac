# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# The cluster's certificate authority, its certificates, and the kubeconfig files made of them.
# shellcheck shell=bash disable=SC2154

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

make_authority() {
	local ca=$certificates/ca
	[ -e "$ca.crt" ] && return
	mkdir -p "$certificates"
	chmod 700 "$certificates"
	new_key "$ca.key"
	openssl req -x509 -new -key "$ca.key" -subj /CN=skep-cluster -days 3650 -out "$ca.crt"
	new_key "$certificates/service-account.key"
	openssl pkey -in "$certificates/service-account.key" -pubout \
		-out "$certificates/service-account.pub"
}

# make_certificate NAME SUBJECT [SUBJECT_ALTERNATIVE_NAMES]
make_certificate() {
	local file=$certificates/$1 subject=$2 names=${3:-}
	[ -e "$file.crt" ] && return
	new_key "$file.key"
	openssl req -new -key "$file.key" -subj "$subject" -out "$file.csr"
	openssl x509 -req -in "$file.csr" -CA "$certificates/ca.crt" -CAkey "$certificates/ca.key" \
		-CAcreateserial -days 3650 -out "$file.crt" 2>/dev/null -extfile <(
			echo "keyUsage=digitalSignature,keyEncipherment"
			echo "extendedKeyUsage=serverAuth,clientAuth"
			[ -z "$names" ] || echo "subjectAltName=$names"
		)
	rm "$file.csr"
}

# write_kubeconfig FILE NAME: for the client certificate of that name.
write_kubeconfig() {
	local file=$1 name=$2
	(
		umask 077
		cat >"$file" <<-END
			apiVersion: v1
			kind: Config
			clusters:
			- name: skep
			  cluster:
			    server: $api_server
			    certificate-authority-data: $(base64 -w0 "$certificates/ca.crt")
			users:
			- name: $name
			  user:
			    client-certificate-data: $(base64 -w0 "$certificates/$name.crt")
			    client-key-data: $(base64 -w0 "$certificates/$name.key")
			contexts:
			- name: skep
			  context: {cluster: skep, user: $name}
			current-context: skep
		END
	)
}

make_identity() {
	make_certificate "$1" "$2"
	write_kubeconfig "$certificates/$1.kubeconfig" "$1"
}

make_certificates() {
	local node
	make_authority
	make_certificate kube-apiserver /CN=kube-apiserver "IP:$control_address,IP:127.0.0.1,\
IP:$kubernetes_service,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
	make_certificate admin /O=system:masters/CN=admin
	write_kubeconfig "$kubeconfig" admin
	make_identity kube-controller-manager /CN=system:kube-controller-manager
	make_identity kube-scheduler /CN=system:kube-scheduler
	make_identity kube-proxy /CN=system:kube-proxy
	for node in $nodes; do make_identity "$node" "/O=system:nodes/CN=system:node:$node"; done
}
