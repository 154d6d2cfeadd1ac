# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
#
# Lets every pod of a list run the host's programs in an empty image, instead of an image's own.
def folders: ["usr", "lib", "lib64", "bin", "etc"];
def on_host:
	.volumes += [folders[] | {name: ., hostPath: {path: "/\(.)"}}]
	| .containers[] |= (
		.image = "localhost/host:1"
		| .volumeMounts += [folders[] | {name: ., mountPath: "/\(.)", readOnly: true}]);

(.items? // [.])[]
| if .spec.template?.spec? then .spec.template.spec |= on_host
  elif .kind == "Pod" then .spec |= on_host
  else . end
