# SPDX-License-Identifier: Apache-2.0
#
# Everything that is built goes to build/. `make help` lists the targets.

VERSION  := 0.1.0
CC       := gcc
CLANG    := clang
BPFTOOL  := bpftool
BUILD    := build
ARCH     := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

PACKAGES := libcjson libcurl libwebsockets libuv openssl libbpf zlib
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wformat=2 -Wundef -Wvla -Wno-format-nonliteral -Wno-maybe-uninitialized
CPPFLAGS := -I. -I$(BUILD) -D_GNU_SOURCE -DSKEP_VERSION='"$(VERSION)"'
CFLAGS   := -std=gnu17 -O2 -g $(WARNINGS) -fno-strict-aliasing -fstack-protector-strong \
	    -D_FORTIFY_SOURCE=2
LDFLAGS  := -Wl,--as-needed -Wl,-z,relro,-z,now
SANITIZE := -std=gnu17 -O1 -g $(WARNINGS) -fno-strict-aliasing -fno-omit-frame-pointer \
	    -fsanitize=address,undefined -fno-sanitize-recover=all

# What each daemon links; the agent holds no Kubernetes client, hence no curl.
OPERATOR_LIBS := -lcurl -lyaml -lwebsockets -lssl -lcrypto -lcjson -luv -lz
AGENT_LIBS    := -lbpf -lelf -lwebsockets -lssl -lcrypto -lcjson -luv -lz
ALL_LIBS      := -lcurl -lyaml $(AGENT_LIBS)

sources = $(shell find $(1) -name '*.c' -not -path '*/tests/*' -not -path '*/fuzz/*' \
	    -not -name main.c 2>/dev/null | sort)
LIB_SOURCES      := $(call sources,lib)
OPERATOR_SOURCES := $(call sources,operator)
AGENT_SOURCES    := $(call sources,node-agent)
TEST_SOURCES     := $(shell find lib operator node-agent -path '*/tests/test_*.c' | sort)
HELPER_SOURCES   := $(shell find lib -path '*/tests/*.c' -not -name 'test_*' | sort)
BPF_SOURCES      := $(wildcard bpf/*.bpf.c node-agent/probes/tests/*.bpf.c)
BENCH_SOURCES    := $(shell find bench -name '*.c' -not -path 'bench/fleet/*' 2>/dev/null | sort)
FLEET_SOURCES    := $(wildcard bench/fleet/*.c)
SKELETONS        := $(BPF_SOURCES:%.bpf.c=$(BUILD)/%.skel.h)
TESTS            := $(TEST_SOURCES:%.c=$(BUILD)/tests/%)
FUZZERS          := $(patsubst %.c,$(BUILD)/fuzz/%,$(shell find lib operator node-agent \
		      -path '*/fuzz/fuzz_*.c' | sort))
CHAOS_SOURCES    := $(wildcard node-agent/selection/*.c) node-agent/pods/naming.c
BENCHES          := $(BENCH_SOURCES:%.c=$(BUILD)/%) $(BUILD)/bench/fleet/fleet
objects           = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))

say = @printf '  %-4s %s\n' $(1) $@

.PHONY: all
all: $(BUILD)/skep-operator $(BUILD)/skep-node-agent crds/clusterobservabilitypolicies.skep.dev.yaml ## build both daemons into build/

$(BUILD)/skep-operator: $(call objects,obj,operator/main.c $(OPERATOR_SOURCES) $(LIB_SOURCES))
	$(call say,LINK)
	@$(CC) $(LDFLAGS) -o $@ $^ $(OPERATOR_LIBS)

$(BUILD)/skep-node-agent: $(call objects,obj,node-agent/main.c $(AGENT_SOURCES) \
			  $(filter-out lib/kube/%,$(LIB_SOURCES)))
	$(call say,LINK)
	@$(CC) $(LDFLAGS) -o $@ $^ $(AGENT_LIBS)

# Policies of both scopes share all but their scope.
crds/cluster%: crds/% crds/make-cluster-policy
	$(call say,YAML)
	@crds/make-cluster-policy

# Objects of the daemons, and the same with sanitizers for tests.
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/sanitized/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	@$(CC) $(CPPFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

# Skeletons must be there before the first object that may include one.
AGENT_OBJECTS := $(foreach kind,obj sanitized fuzzed,$(call objects,$(kind),$(AGENT_SOURCES) \
		   node-agent/main.c $(TEST_SOURCES) $(BENCH_SOURCES)))
$(AGENT_OBJECTS): | $(SKELETONS)

$(BUILD)/%.bpf.o: %.bpf.c $(wildcard bpf/*.h bpf/*/*.h)
	@mkdir -p $(@D)
	$(call say,BPF)
	@$(CLANG) -O2 -g -target bpf -mcpu=v3 -Wall -Werror -I. -D__TARGET_ARCH_$(ARCH) \
		-I/usr/include/$(shell uname -m)-linux-gnu -c -o $@ $<

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL)
	@$(BPFTOOL) gen skeleton $< name $(*F)_bpf >$@.new && mv $@.new $@

# Tests: one program per file, with everything linked in, under sanitizers.
SANITIZED_ARCHIVE := $(BUILD)/sanitized/skep.a
$(SANITIZED_ARCHIVE): $(call objects,sanitized,$(LIB_SOURCES) $(OPERATOR_SOURCES) $(AGENT_SOURCES) \
		       $(HELPER_SOURCES))
	@rm -f $@
	$(call say,AR)
	@ar rcs $@ $^

$(BUILD)/tests/%: $(BUILD)/sanitized/%.o $(SANITIZED_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK)
	@$(CC) -fsanitize=address,undefined $(LDFLAGS) -o $@ $^ -lcmocka $(ALL_LIBS)

# Fuzzers: the same with clang, whose libFuzzer follows what an input reaches.
$(BUILD)/fuzzed/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	@$(CLANG) $(CPPFLAGS) -std=gnu17 -O1 -g -fno-strict-aliasing -MMD -MP \
		-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -c -o $@ $<

FUZZED_ARCHIVE := $(BUILD)/fuzzed/skep.a
$(FUZZED_ARCHIVE): $(call objects,fuzzed,$(LIB_SOURCES) $(OPERATOR_SOURCES) $(AGENT_SOURCES))
	@rm -f $@
	$(call say,AR)
	@ar rcs $@ $^

$(BUILD)/fuzz/%: $(BUILD)/fuzzed/%.o $(FUZZED_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK)
	@$(CLANG) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

# The daemons with sanitizers, for the end-to-end tests.
$(BUILD)/sanitized/skep-operator: $(BUILD)/sanitized/operator/main.o $(SANITIZED_ARCHIVE)
	$(call say,LINK)
	@$(CC) -fsanitize=address,undefined $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(BUILD)/sanitized/skep-node-agent: $(BUILD)/sanitized/node-agent/main.o $(SANITIZED_ARCHIVE)
	$(call say,LINK)
	@$(CC) -fsanitize=address,undefined $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(BUILD)/bench/%: bench/%.c $(call objects,obj,$(LIB_SOURCES) $(AGENT_SOURCES))
	@mkdir -p $(@D)
	$(call say,LINK)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(BUILD)/bench/fleet/fleet: $(call objects,obj,$(FLEET_SOURCES) $(LIB_SOURCES))
	@mkdir -p $(@D)
	$(call say,LINK)
	@$(CC) $(LDFLAGS) -o $@ $^ $(OPERATOR_LIBS)

# Agents that attach nothing, and clocks that jump, for e2e/chaos.
$(BUILD)/chaos/agents: $(call objects,obj,e2e/chaos/agents.c $(CHAOS_SOURCES) $(LIB_SOURCES))
	@mkdir -p $(@D)
	$(call say,LINK)
	@$(CC) $(LDFLAGS) -o $@ $^ $(OPERATOR_LIBS)

$(BUILD)/chaos/clock.so: e2e/chaos/clock.c
	@mkdir -p $(@D)
	$(call say,LINK)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared $(LDFLAGS) -o $@ $<

# All of a machine that e2e/kernels boots, so it has everything in it.
$(BUILD)/kernels/init: e2e/kernels/init.c $(SKELETONS)
	@mkdir -p $(@D)
	$(call say,LINK)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -static -o $@ $< -lbpf -lelf -lz

.PHONY: chaos
chaos: $(BUILD)/chaos/agents $(BUILD)/chaos/clock.so

.PHONY: tests sanitized benches
tests: $(TESTS)
sanitized: $(BUILD)/sanitized/skep-operator $(BUILD)/sanitized/skep-node-agent
benches: $(BENCHES)

.PHONY: deps
deps: ## install the Debian packages that building and testing need
	e2e/cluster/packages

.PHONY: test
test: deps ## build and run every test: unit, BPF on this kernel, end to end on a real cluster
	.ci/test

.PHONY: test-unit
test-unit: ## only the tests that need no cluster
	.ci/test --unit

.PHONY: test-rules
test-rules: ## only the tests of the Prometheus rules
	deploy/prometheus/tests/run

.PHONY: test-sanitized
test-sanitized: deps ## test, and the end-to-end tests once more on daemons with sanitizers
	.ci/test --sanitized

.PHONY: test-kernels
test-kernels: deps ## do other kernels take the BPF programs? boots them in an emulated machine
	e2e/kernels/run

.PHONY: fuzzers
fuzzers: $(FUZZERS)

.PHONY: test-fuzz
test-fuzz: fuzzers ## a short run of every fuzzer, from its kept corpus; FUZZ_SECONDS=600 for a long one
	.ci/fuzz $(FUZZ_SECONDS)

.PHONY: bench
bench: deps images ## measure: kernel ns per event, nginx watched and not, apply to Ready
	bench/run

.PHONY: demo
demo: deps ## a real cluster with Skep and two namespaces of workloads; shows what it sees
	e2e/demo/demo

.PHONY: demo-down
demo-down: ## end the demo and its cluster
	e2e/demo/down

.PHONY: images
images: all ## container images of both daemons, as archives, into build/images/
	deploy/images/build skep-operator
	deploy/images/build skep-node-agent

C_FILES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')

.PHONY: fmt
fmt: ## lay the C sources out
	clang-format -i $(C_FILES)

.PHONY: lint
lint: $(SKELETONS) ## check layout and look for mistakes (clang-format, clang-tidy, bash -n)
	clang-format --dry-run -Werror $(C_FILES)
	.ci/tidy
	git ls-files --cached --others --exclude-standard | xargs grep -lE '^#!.*bash' | xargs -n1 bash -n

.PHONY: clean
clean: ## remove build/
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
