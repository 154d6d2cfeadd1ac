# SPDX-License-Identifier: Apache-2.0
# Copyright The Skep Authors
"""What the end-to-end tests share: the cluster, its pods, the kernel's view, the daemons."""
