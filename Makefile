# What you can make: `make help`. Two commands need root where Debian packages
# are missing: `sudo make run` and `sudo make test`.

BUILD   := build
CC      ?= cc
CLANG   ?= clang-14
CFLAGS  ?= -O2 -g
WARN    := -std=c11 -Wall -Wextra -Wshadow -Wconversion -Werror
HARDEN  := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIC

# For a build folder of its own: all of it with the sanitizers of gcc
# (SANITIZE=1), or with those of clang and libFuzzer (FUZZER=1). Warnings are
# the plain build's.
ifneq ($(SANITIZE)$(FUZZER),)
SAN     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -w
CFLAGS  := $(if $(FUZZER),-O2 -fsanitize=fuzzer-no-link,-O1) -g $(SAN)
HARDEN  := -fno-omit-frame-pointer -fPIC
endif

FLAGS    = $(CFLAGS) $(WARN) $(HARDEN) -Ishared -MMD -MP

# Debian's, or the sources of any nginx: a release, or a checkout.
NGINX_SRC ?= /usr/share/nginx/src
NGINX_WITH := --with-compat --with-debug --with-threads --with-http_ssl_module --with-http_v2_module --with-http_auth_request_module --with-http_realip_module --with-http_stub_status_module --with-http_gunzip_module --with-http_sub_module

SHARED  := $(wildcard shared/*.c)
CLI     := $(wildcard admin_cli/*.c admin_cli/serve/*.c)
WEB     := $(wildcard admin_cli/web/* admin_cli/web/*/*)
SIM     := $(wildcard t/sim/*.c)
UNIT    := $(wildcard t/unit/*.c)
FUZZ    := $(patsubst t/fuzz/%.c,%,$(filter-out t/fuzz/main.c,$(wildcard t/fuzz/*.c)))
MODULE  := $(wildcard ngx_ai_gateway_module/*.c ngx_ai_gateway_module/*.h)

# Which of the tests run beside each other stands in t/testrules.yml. They wait
# more than they compute: one more than there are cores. Each may want 64 MiB
# for live segments, which is all there is in many a container.
PROVE     := prove --nocolor -j $(shell df --output=avail /run /dev/shm | awk -v n=$$(nproc) 'BEGIN { n++ } NR > 1 && $$1 < n * 65536 { n = int($$1 / 65536) } END { print n < 1 ? 1 : n }')

# All tests but those that start nothing of ours, or look after themselves.
ASAN      := $(BUILD)/asan
SANITIZED := $(filter-out t/docs.t t/fuzz.t t/layout.t t/sanitize.t,$(sort $(wildcard t/*.t t/*/*.t)))

LIB     := $(BUILD)/libaigw.a
LIBS    := -Wl,-z,relro,-z,now -llmdb -lcrypto -lpthread
SO      := $(BUILD)/ngx_ai_gateway_module.so

.DEFAULT_GOAL := all

all: module cli sim ## build module, CLI and simulator

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

module: $(SO) ## the nginx module
cli: $(BUILD)/aigw ## the command line
sim: $(BUILD)/aigw-sim ## the simulator of 4sapi
unit: $(UNIT:t/unit/%.c=$(BUILD)/unit/%) ## the unit tests of shared/
fuzzers: $(FUZZ:%=$(BUILD)/fuzz/%)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -c -o $@ $<

$(BUILD)/obj/admin_cli/%.o: FLAGS += -Iadmin_cli
$(BUILD)/obj/admin_cli/serve/serve_web.o: $(WEB)

$(LIB): $(SHARED:%.c=$(BUILD)/obj/%.o)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/aigw: $(CLI:%.c=$(BUILD)/obj/%.o) $(LIB)
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS) -lcjson -lcurl -lsmartcols -lmicrohttpd -lm

$(BUILD)/aigw-sim: $(SIM:%.c=$(BUILD)/obj/%.o) $(LIB)
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS) -lssl -lcjson

$(BUILD)/unit/%: $(BUILD)/obj/t/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/fuzz/%: $(BUILD)/obj/t/fuzz/%.o $(if $(FUZZER),,$(BUILD)/obj/t/fuzz/main.o) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $^ $(LIBS) -lcjson

# configure writes beside itself, hence the copy. Debian's nginx-dev holds
# headers, build scripts and Debian's own flags. A file more or less, or another
# tree, means to configure anew.
$(BUILD)/nginx/Makefile: config Makefile $(BUILD)/sources
	rm -rf $(BUILD)/nginx
	mkdir -p $(BUILD)
	cp -r $(NGINX_SRC) $(BUILD)/nginx
	cd $(BUILD)/nginx && rm -rf objs Makefile && bash -c 'NGX_CONF_FLAGS=($(NGINX_WITH)); [ ! -e conf_flags ] || . ./conf_flags; [ -e configure ] || ln -s auto/configure configure; ./configure "$${NGX_CONF_FLAGS[@]}" --with-cc-opt="$(CFLAGS) $(HARDEN)" --with-ld-opt="$(SAN)" --add-dynamic-module=$(CURDIR)' >configure.log

$(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo $(NGINX_SRC) $(sort $(MODULE) $(SHARED)) | cmp -s - $@ || echo $(NGINX_SRC) $(sort $(MODULE) $(SHARED)) >$@

$(SO): $(BUILD)/nginx/Makefile $(MODULE) $(SHARED) $(wildcard shared/*.h)
	$(MAKE) -C $(BUILD)/nginx -f objs/Makefile modules >$(BUILD)/module.log
	cp --remove-destination $(BUILD)/nginx/objs/ngx_ai_gateway_module.so $@

# The SDKs as their users have them, and a Node new enough for its own.
$(BUILD)/sdk/.done: t/sdk/package.json t/sdk/package-lock.json t/sdk/requirements.txt t/serve/schema-requirements.txt
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; exit 1; }
	cd $(@D) && ln -s node_modules/node-linux-*/bin/node node && ./node --version >version
	/usr/bin/python3 -m venv $(@D)/python
	cd $(@D) && python/bin/pip install --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r requirements.txt -r schema-requirements.txt >pip.log 2>&1 || { cat pip.log; exit 1; }
	touch $@

# Starts nginx with what the sanitized module needs; argv[0] for binary upgrades.
$(BUILD)/sbin/nginx: Makefile
	@mkdir -p $(@D)
	printf '%s\n' '#!/bin/bash' \
	    'export LD_PRELOAD="$(shell $(CC) -print-file-name=libasan.so) $(shell $(CC) -print-file-name=libubsan.so)"' \
	    'export ASAN_OPTIONS=detect_leaks=0' \
	    'exec -a "$$0" /usr/sbin/nginx "$$@"' >$@
	chmod 755 $@

sanitized: all unit fuzzers $(BUILD)/sbin/nginx
	@ln -sfn ../sdk $(BUILD)/sdk

run: ## start the gateway (PORT, WORKERS, AIGW_UPSTREAM, AIGW_UPSTREAM_KEY_FILE)
	@MAKE='$(MAKE)' BUILD='$(BUILD)' scripts/run.sh

stop: ## stop what `make run` started
	@BUILD='$(BUILD)' scripts/stop.sh

test: ## install what is missing, build and run every test
	@scripts/setup.sh test
	@$(MAKE) -s --no-print-directory -j $$(nproc) test-build
	@AIGW_BUILD='$(abspath $(BUILD))' $(PROVE) -It/lib -r $(sort $(UNIT:t/unit/%.c=$(BUILD)/unit/%)) t; \
	status=$$?; \
	echo 'The same with AddressSanitizer and UndefinedBehaviorSanitizer:'; \
	$(MAKE) -s --no-print-directory test-sanitized && exit $$status

test-build: all unit $(BUILD)/sdk/.done test-build-gcc test-build-clang

test-build-gcc:
	@$(MAKE) BUILD=$(ASAN) SANITIZE=1 sanitized

test-build-clang:
	@! command -v $(CLANG) >/dev/null || $(MAKE) BUILD=$(BUILD)/clang CC=$(CLANG) FUZZER=1 fuzzers

test-sanitized:
	@AIGW_BUILD='$(abspath $(ASAN))' AIGW_NGINX='$(abspath $(ASAN))/sbin/nginx' PATH="$(abspath $(ASAN))/sbin:$$PATH" SANITIZE=1 TEST_CALLS=2000 TEST_RELOADS=12 TEST_UPGRADES=1 TEST_KILLS=10 \
	    $(PROVE) -It/lib $(sort $(UNIT:t/unit/%.c=$(ASAN)/unit/%)) $(FUZZ:%=$(ASAN)/fuzz/%) $(SANITIZED)

fuzz: ## fuzz each target RUNS times (REPORT: file that gets the result)
	@$(MAKE) -s --no-print-directory BUILD=$(BUILD)/clang CC=$(CLANG) FUZZER=1 fuzzers
	@DIR=$(BUILD)/clang/fuzz CLANG=$(CLANG) TARGETS='$(FUZZ)' RUNS=$(or $(RUNS),1000000) t/fuzz/run.sh

bench: ## what the gateway costs beside bare nginx (ROUNDS, ONLY)
	@scripts/setup.sh test
	@$(MAKE) -s --no-print-directory -j $$(nproc) all
	@AIGW_BUILD='$(abspath $(BUILD))' perl t/bench/bench.pl

torture: ## what takes long: big bodies, caps, kills, bad disks (an hour)
	@scripts/setup.sh test
	@$(MAKE) -s --no-print-directory -j $$(nproc) all unit
	@AIGW_BUILD='$(abspath $(BUILD))' prove --nocolor -v $(sort $(wildcard t/torture/*.pl))

compat: ## build and test with another nginx: NGINX_SRC=DIR
	@[ -e $(NGINX_SRC)/src/core/nginx.c ] || { echo 'make compat NGINX_SRC=DIR: the sources of an nginx'; exit 2; }
	@scripts/setup.sh test
	@$(MAKE) -s --no-print-directory -j $$(nproc) BUILD=$(BUILD)/compat NGINX_SRC=$(NGINX_SRC) all
	@$(MAKE) -s --no-print-directory -j $$(nproc) -C $(BUILD)/compat/nginx -f objs/Makefile binary >$(BUILD)/compat/binary.log
	@$(BUILD)/compat/nginx/objs/nginx -v
	@AIGW_BUILD='$(abspath $(BUILD))/compat' AIGW_NGINX='$(abspath $(BUILD))/compat/nginx/objs/nginx' prove --nocolor -It/lib -r t/walk.t t/module

ci: ## what CI runs
	@.ci/run

clean: ## stop, and remove what was built, the state and the store of `make run`
	@BUILD='$(BUILD)' scripts/clean.sh

.PHONY: all help module cli sim unit fuzzers sanitized run stop test test-build test-build-gcc test-build-clang test-sanitized fuzz bench torture compat ci clean
.SECONDARY:
FORCE:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
