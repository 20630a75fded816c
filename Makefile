# SPDX-License-Identifier: Apache-2.0
#
# Pith's build.  The targets for people:
#
#   make            the kernel and the pith command, into build/
#   make run        packages this machine's python3 and runs it as a unikernel
#                   (make run PROGRAM="/usr/bin/perl -e 'print 1+1'" another)
#   make test       all tests; the last line is "N passed, N failed"
#   make tidy       checks of the source itself, in seconds
#   make lint       what clang says of the kernel, user pointers marked
#   make unit|test-tool|abi|crash|e2e   one group of tests
#   make e2e-debug  programs and calls on the debug kernel
#   make fuzz       the fuzzers, long
#   make soak       the long forms
#   make abi-delays test/abi's programs on Linux, with calls held up: none may differ
#   make bench      Pith against a Linux guest, side by side
#   make bench-disk disks alone, Redis's log and MariaDB too
#   make bench-net  the same for servers, over a tap in a network namespace
#   make bench-wan  the same for one transfer across a wide network
#   make install    into PREFIX (/usr/local), under DESTDIR
#   make deps       Debian packages that are missing (runs by itself)
#   make clean
#
# Variables: V=1 (show commands), O (build folder), DEBUG=1 (lock ranks, poison, UBSan traps, KASAN;
# goes into $(O)/debug), ARCH, PLATFORM, CC, PREFIX, DESTDIR.
# Source lists are wildcards: a .c in a layer's folder is in the kernel.

O	 ?= build
ARCH	 ?= x86_64
PLATFORM ?= pc
DEBUG	 ?= 0
PREFIX	 ?= /usr/local
PYTHON	 ?= /usr/bin/python3
CCACHE	 := $(shell command -v ccache 2>/dev/null)
ifeq ($(origin CC),default)
CC	 := $(CCACHE) gcc
endif

VERSION	 := 0.1.0
LAYERS	 := base abi arch core mem sched dev drivers vm file fs net proc ipc aio klib \
	    linux boot
ifeq ($(DEBUG),1)
K	 := $(O)/debug
else
K	 := $(O)
endif

Q	 := $(if $(V),,@)

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all kernel klibs tool deps run test tidy lint unit test-tool abi crash e2e e2e-debug fuzz \
	abi-delays soak bench bench-disk bench-net bench-wan install clean debug linux-guest

all: kernel tool

# ---- packages ----

# An included file: when make has made it, it starts afresh, and then finds the
# compiler that was missing.
$(O)/deps.mk: tools/deps.txt tools/deps.sh
	@mkdir -p $(O)
	@sh tools/deps.sh tools/deps.txt
	@touch $@
ifneq ($(filter-out clean,$(or $(MAKECMDGOALS),all)),)
include $(O)/deps.mk
endif
$(O)/deps-test: tools/deps-test.txt tools/deps.sh
	@mkdir -p $(O)
	@sh tools/deps.sh tools/deps-test.txt
	@touch $@
deps: $(O)/deps-test

# The Linux that Pith is measured against, and that has KVM inside for us.
$(O)/linux: tools/linux-guest.sh
	@mkdir -p $(O)
	$(Q)sh tools/linux-guest.sh $@
	@touch $@
linux-guest: $(O)/linux

# ---- the kernel ----

KDIRS	:= $(patsubst %,src/%,$(filter-out arch,$(LAYERS))) src/arch/$(ARCH) \
	   platform/$(PLATFORM)
KSRC	:= $(sort $(foreach d,$(wildcard $(KDIRS)),\
	     $(shell find $(d) -name vdso -prune -o -name '*.[cS]' -print)))
KOBJ	:= $(patsubst %,$(K)/obj/%.o,$(KSRC)) $(K)/obj/gen/syscall_table.c.o \
	   $(K)/obj/gen/klib_exports.S.o
GEN	:= $(O)/gen/linux/syscalls_gen.h

KINC	:= -I src -I src/arch/$(ARCH)/include -I $(O)/gen
KWARN	:= -Wall -Wextra -Werror -Wundef -Wshadow -Wvla -Wpointer-arith \
	   -Wcast-qual -Wwrite-strings -Wstrict-prototypes \
	   -Wold-style-definition -Wmissing-prototypes -Wimplicit-fallthrough \
	   -Wframe-larger-than=1536 -Wdate-time
KFLAGS	:= -std=gnu11 -O2 -g -ffreestanding -nostdinc \
	   -isystem $(shell $(CC) -print-file-name=include 2>/dev/null) \
	   -fPIE -fvisibility=hidden -fno-common -fno-strict-aliasing \
	   -fno-delete-null-pointer-checks \
	   -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
	   -fno-align-jumps -fno-align-loops -fno-align-labels \
	   -fstack-protector-strong -ffunction-sections -fdata-sections \
	   -DPITH_VERSION='"$(VERSION)"'
# Signed overflow traps in the debug kernel and wraps in the other.  A pointer
# of the program's may be null and may wrap: the address is checked when used.
ifeq ($(DEBUG),1)
KFLAGS	+= -DPITH_DEBUG -DPITH_KASAN -ftrivial-auto-var-init=pattern \
	   -fsanitize=kernel-address --param asan-stack=0 \
	   --param asan-globals=0 \
	   --param asan-instrumentation-with-call-threshold=0 \
	   -fsanitize=undefined -fsanitize-undefined-trap-on-error \
	   -fno-sanitize=alignment,null,pointer-overflow -fwrapv-pointer
else
KFLAGS	+= -ftrivial-auto-var-init=zero -fno-strict-overflow
endif
ARCH_CFLAGS :=
KOBJ_EXTRA  :=
-include src/arch/$(ARCH)/arch.mk

KLDS	:= src/arch/$(ARCH)/kernel.lds
KLDFLAGS := -nostdlib -static -Wl,-pie -Wl,--no-dynamic-linker \
	   -Wl,-z,noexecstack -Wl,-z,pack-relative-relocs \
	   -Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	   -Wl,--gc-sections -Wl,-z,norelro -Wl,--orphan-handling=warn

# What the address sanitizer itself stands on.
ifeq ($(DEBUG),1)
NO_KASAN := src/core/kasan.c src/mem/heap.c src/mem/page.c \
	    src/arch/$(ARCH)/early.c src/arch/$(ARCH)/string.c
$(NO_KASAN:%=$(K)/obj/%.o): private KFLAGS += -fno-sanitize=kernel-address
endif

# A loop that copies must not become a call of the function it is in.
$(K)/obj/src/base/string.c.o: private KFLAGS += -fno-tree-loop-distribute-patterns

# What runs once, seldom or for who looks is small rather than fast.
SMALL := $(wildcard src/boot/*.c src/klib/*.c src/drivers/pci/*.c) \
	 $(wildcard src/linux/trace*.c src/linux/errname*.c \
		    src/linux/missing*.c src/aio/uring_reg*.c \
		    src/aio/uring_rsrc*.c src/aio/uring_sq.c) \
	 $(patsubst %,src/fs/%.c,ext4/recover ext4/lost ext4/super \
		    ext4/xattrset ext4/quota ext4/orphanfile acl \
		    bdevfile fileattr lease mount pseudo/procfs pseudo/pseudo \
		    pseudo/devfs pseudo/sysfs pseudo/devpts) \
	 $(wildcard src/proc/procfs*.c) src/proc/profile.c src/proc/crash.c \
	 src/proc/elf.c src/proc/exec.c src/proc/uts.c \
	 src/proc/report.c src/proc/vdso.c \
	 src/dev/partition.c src/dev/pty.c src/dev/tty_job.c \
	 src/linux/sys_cred.c src/ipc/mqueue.c \
	 $(patsubst %,src/net/%.c,procnet unix_proc netsys rtnl rtnl_fill \
		    ifioctl sock_diag netlink inet_opt tcp_opt mcast packet start \
		    refused unix_gc dgram_err sockopt lwip/addr4 lwip/config \
		    lwip/dhcp_options lwip/finish lwip/groups lwip/iface \
		    lwip/info lwip/lease lwip/query lwip/report \
		    lwip/report_out) \
	 $(patsubst %,lwip/core/%.c,netif ipv4/dhcp ipv4/icmp ipv4/ip4_addr \
		    ipv4/ip4_frag ipv6/dhcp6 ipv6/icmp6 ipv6/ip6_addr \
		    ipv6/ip6_frag ipv6/nd6)
$(SMALL:%=$(K)/obj/%.o): private KFLAGS += -Os

# The TCP/IP engine: Debian's source, our patches, flags of its own.  Only the
# port, src/net/lwip, sees its headers and ours.
LWIP	:= $(O)/lwip
LWIPSRC := netif/ethernet.c $(patsubst %,core/%.c,def inet_chksum init ip mem memp netif pbuf \
	     raw stats tcp tcp_in tcp_out udp ipv4/dhcp ipv4/etharp \
	     ipv4/icmp ipv4/ip4 ipv4/ip4_addr ipv4/ip4_frag \
	     ipv6/dhcp6 ipv6/ethip6 ipv6/icmp6 ipv6/inet6 ipv6/ip6 \
	     ipv6/ip6_addr ipv6/ip6_frag ipv6/nd6)
LWIPOBJ := $(patsubst %,$(K)/obj/lwip/%.o,$(LWIPSRC))
LWIPINC := -I src/net/lwip/include -I $(LWIP)/src/include
LWIPWARN := -Wall -Wno-address -Wno-unused-but-set-variable \
	   -Wframe-larger-than=1536
LWIP_HAND := $(wildcard src/net/lwip/include/*.h src/net/lwip/include/*/*.h)

$(LWIP)/stamp: tools/lwip.sh $(wildcard src/net/lwip/patches/*.patch)
	@mkdir -p $(O)
	$(Q)sh tools/lwip.sh $(LWIP) src/net/lwip/patches
	@touch $@
$(LWIPOBJ): $(K)/obj/lwip/%.o: $(LWIP)/stamp $(LWIP_HAND) Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(KFLAGS) $(ARCH_CFLAGS) $(LWIPWARN) $(LWIPINC) \
		-Dmem_init=lwip_mem_init -c $(LWIP)/src/$* -o $@
$(K)/obj/src/net/lwip/%.c.o: src/net/lwip/%.c $(LWIP)/stamp | $(GEN)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KFLAGS) $(ARCH_CFLAGS) $(KWARN) $(KINC) $(LWIPINC) \
		-MMD -MP -c $< -o $@

kernel: $(K)/pith-kernel.elf klibs
debug:
	$(MAKE) DEBUG=1 kernel

$(K)/obj/gen/syscall_table.c.o: $(GEN)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KFLAGS) $(ARCH_CFLAGS) $(KWARN) $(KINC) -MMD -MP -c \
		$(O)/gen/syscall_table.c -o $@
# Other flags, other objects.
.PHONY: flags
$(K)/flags: flags
	$(shell mkdir -p $(@D))$(file >$@.new,$(CC) $(KFLAGS) $(ARCH_CFLAGS) $(KWARN) $(KINC) small: $(SMALL))
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@

$(K)/obj/%.c.o: %.c $(K)/flags | $(GEN)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KFLAGS) $(ARCH_CFLAGS) $(KWARN) $(KINC) -MMD -MP -c $< -o $@
$(K)/obj/%.S.o: %.S | $(GEN)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ARCH_CFLAGS) -g -D__ASSEMBLY__ $(KINC) -MMD -MP -c $< -o $@

$(GEN): src/linux/syscalls.tbl tools/syscalls.awk
	@mkdir -p $(O)/gen/linux $(O)/gen/abi
	$(Q)awk -v out=$(O)/gen -v arch=$(ARCH) -f tools/syscalls.awk $<

$(K)/pith-kernel.debug: $(KOBJ) $(LWIPOBJ) $(KOBJ_EXTRA) $(KLDS)
	$(Q)$(CC) $(ARCH_CFLAGS) $(KLDFLAGS) -T $(KLDS) $(KOBJ) $(LWIPOBJ) \
		$(KOBJ_EXTRA) -o $@
$(K)/pith-kernel.elf: $(K)/pith-kernel.debug
	$(Q)objcopy --strip-debug --discard-all $< $@

# ---- klibs: docs/design/klib.md ----

# A folder of klib/ is one; a .c in it is in it.  The id is of all that code
# compiled for this kernel depends on.
KLIBS	:= $(patsubst klib/%/,%,$(sort $(dir $(wildcard klib/*/*.c))))
KLIBOBJ	:= $(patsubst %,$(K)/obj/%.o,$(wildcard klib/*/*.c))
KLIB_ID	:= $(K)/gen/klib_id.h
KLIB_HEADERS := $(sort $(shell find src -name '*.h'))

klibs: $(KLIBS:%=$(K)/klib/%.klib)

$(K)/flags.klib: flags
	$(shell mkdir -p $(@D))$(file >$@.new,$(shell $(CC) -dumpfullversion) $(KFLAGS) $(ARCH_CFLAGS))
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
$(KLIB_ID): $(KLIB_HEADERS) src/klib/exports $(K)/flags.klib
	@mkdir -p $(@D)
	@cat $^ | sha256sum | awk '{ print "#define KLIB_ID \"" $$1 "\"" }' >$@
$(K)/gen/klib_exports.S: src/klib/exports tools/exports.sh
	@mkdir -p $(@D)
	@sh tools/exports.sh table $(DEBUG) >$@
$(K)/obj/gen/klib_exports.S.o: $(K)/gen/klib_exports.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(ARCH_CFLAGS) -c $< -o $@
$(KLIBOBJ) $(K)/obj/src/klib/klib.c.o: $(KLIB_ID)
$(K)/obj/src/klib/klib.c.o: private KFLAGS += -include $(KLIB_ID)
$(KLIBOBJ): private KFLAGS += -include src/klib/hidden.h -include $(KLIB_ID)

define klib_rule
$(K)/klib/$(1).klib.debug: $(patsubst %,$(K)/obj/%.o,$(wildcard klib/$(1)/*.c)) \
		src/klib/klib.lds src/klib/exports tools/exports.sh
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ARCH_CFLAGS) -nostdlib -r -Wl,-T,src/klib/klib.lds \
		$$(filter %.o,$$^) -o $$@
	@sh tools/exports.sh check $(DEBUG) $$@
endef
$(foreach k,$(KLIBS),$(eval $(call klib_rule,$(k))))
$(K)/klib/%.klib: $(K)/klib/%.klib.debug
	$(Q)objcopy --strip-debug $< $@

# ---- the pith command ----

TSRC	:= $(wildcard tools/pith/*.c)
TOBJ	:= $(patsubst %,$(O)/obj/%.o,$(TSRC))
TFLAGS	:= -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow \
	   -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes \
	   -Wold-style-definition -Wimplicit-fallthrough -fstack-protector-strong \
	   -D_FORTIFY_SOURCE=2 -I src -DPITH_VERSION='"$(VERSION)"' \
	   -DPITH_PREFIX='"$(PREFIX)"'
TLIBS	:= -lelf -ldw -lext2fs -lcom_err -ljansson

tool: $(O)/pith
$(O)/obj/tools/%.c.o: tools/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(TFLAGS) -MMD -MP -c $< -o $@
$(O)/pith: $(TOBJ)
	$(Q)$(CC) $(TOBJ) -o $@ $(TLIBS)

# ---- for people ----

RUN_PY = import os, platform; \
	print("CPU     ", next((l.split(":")[1].strip() for l in \
	open("/proc/cpuinfo") if l.startswith("model name")), "?")); \
	print("memory  ", open("/proc/meminfo").readline().split(":")[1].strip()); \
	print("version ", open("/proc/version").read().strip()); \
	print("files   ", sorted(os.listdir("/")))
run: all
ifdef PROGRAM
	$(O)/pith run $(PROGRAM)
else
	$(O)/pith run /usr/bin/python3 -c '$(RUN_PY)'
endif

# Two at a time; each test has its own time limit and folder.
PYTEST	= PITH_BUILD=$(abspath $(O)) $(PYTHON) -m pytest -q -n 2 \
	  -p no:cacheprovider --rootdir=test
test: all debug tidy lint $(O)/deps-test $(O)/linux
	$(PYTEST) test/unit test/tool test/abi test/fuzz test/crash test/e2e
# The same programs on the debug kernel; some of them are in `make test`.
e2e-debug: all debug $(O)/deps-test $(O)/linux
	PITH_KERNEL=$(abspath $(O))/debug/pith-kernel.elf \
		$(PYTEST) test/abi test/e2e
unit abi crash e2e: all debug $(O)/deps-test $(O)/linux
	$(PYTEST) test/$@
test-tool: all $(O)/deps-test
	$(PYTEST) test/tool
tidy: $(O)/deps-test
	@sh tools/tidy.sh $(O)
lint: $(GEN) $(O)/deps-test
	@sh tools/lint.sh $(O)
soak: all $(O)/deps-test $(O)/linux
	PITH_LONG=1 $(PYTEST) test/unit test/abi test/crash test/e2e
abi-delays: $(O)/deps-test
	$(PYTHON) test/abi/delays.py
fuzz: all debug $(O)/deps-test
	PITH_LONG=1 PITH_ROUNDS=2000 $(PYTEST) test/fuzz test/tool/test_fuzz.py \
		test/unit -k "fuzz or frames or klib or elf or runinfo or startinfo"
bench: all $(O)/linux $(O)/deps-test
	$(PYTHON) test/bench/bench.py --build $(O)
	$(PYTHON) test/bench/disk.py --build $(O)
bench-disk: all $(O)/linux $(O)/deps-test
	$(PYTHON) test/bench/disk.py --build $(O)
	$(PYTHON) test/bench/diskserver.py --build $(O)
bench-net: all $(O)/linux $(O)/deps-test
	$(PYTHON) test/bench/net.py --build $(O)
bench-wan: all $(O)/linux $(O)/deps-test
	$(PYTHON) test/bench/wan.py --build $(O)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pith/klib \
		$(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 755 $(O)/pith $(DESTDIR)$(PREFIX)/bin/pith
	install -m 644 $(O)/pith-kernel.elf $(DESTDIR)$(PREFIX)/lib/pith/
	install -m 644 $(KLIBS:%=$(O)/klib/%.klib) \
		$(DESTDIR)$(PREFIX)/lib/pith/klib/
	install -m 644 tools/pith/pith.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 tools/pith/pith.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pith

clean:
	rm -rf $(O)

-include $(patsubst %.o,%.d,$(KOBJ) $(KLIBOBJ) $(TOBJ))
