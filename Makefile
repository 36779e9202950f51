# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make              library, drop-in, migbench                 -> build/
# make tests        all test programs as well                   -> build/tests/, build/vm/
# make check        ./check: installs what is missing, builds, runs every test
# make install      PREFIX=/usr/local LIBDIR= INCLUDEDIR= MANDIR= ZSHDIR= DESTDIR=
# make deb          Debian packages                             -> build/deb/
# make html         documents and man pages as a static site    -> build/html/
# make demo-picture draws what ./demo prints on this machine    -> docs/figures/demo.svg
# make coverage     lines that unit and host tests execute      -> build/coverage/
# make format       clang-format of all sources; format-check only looks
# make tidy         clang-tidy of the library, migbench and the drop-in
# make compile_commands.json   for clangd and other tools
# make clean
#
# SAN=asan          with ASan and UBSan                         -> build/asan/
# SAN=tsan          with TSan                                   -> build/tsan/
# V=1               shows the commands
# WERROR=           warnings are no errors
# CC, PKG_CONFIG, CPPFLAGS, CFLAGS, LDFLAGS are honoured; CFLAGS in compiling and linking.
#
# A folder is a part: every .c file in it and in its sub-folders belongs to that part.

VERSION := 0.2.0
SONAME := libpageferry.so.0
SOFILE := libpageferry.so.$(VERSION)

SAN ?=
BUILD := build$(if $(SAN),/$(SAN))
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
PKG_CONFIG ?= pkg-config
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
# The compiler's own, which is the right one for another architecture, too.
AR := $(shell $(CC) -print-prog-name=ar)
OBJCOPY ?= $(shell $(CC) -print-prog-name=objcopy)

CFLAGS ?= -O2 -g
WERROR ?= -Werror
SAN_FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SAN_FLAGS_tsan := -fsanitize=thread
SAN_FLAGS := $(SAN_FLAGS_$(SAN))
ALL_CPPFLAGS := -D_GNU_SOURCE -DFERRY_VERSION='"$(VERSION)"' -I. -Iinclude -MMD -MP $(CPPFLAGS)
ALL_CFLAGS := -std=gnu17 -Wall -Wextra $(WERROR) -Wmissing-prototypes -Wstrict-prototypes \
	-Wpointer-arith -fno-strict-aliasing -fno-omit-frame-pointer \
	$(if $(SAN),-O1) $(CFLAGS) $(SAN_FLAGS)
ALL_LDFLAGS := $(CFLAGS) $(SAN_FLAGS) $(LDFLAGS)

# Optional parts: what the machine has decides what is built; `migbench doctor` says what is not.
HAVE = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo y)
# Its header wants uuid/uuid.h, which its package does not depend on.
ifneq ($(and $(call HAVE,libaccel-config),$(call HAVE,uuid)),)
ALL_CPPFLAGS += -DHAVE_LIBACCEL_CONFIG $(shell $(PKG_CONFIG) --cflags libaccel-config)
endif

SRCS = $(sort $(shell find $(wildcard $(1)) -name '*.c'))
# The skeleton is what a new engine begins as; its test includes it.
LIB_SRCS := $(filter-out engines/skeleton/%, \
	$(call SRCS,base copy hw policy crew models engines lib))
CLI_SRCS := $(call SRCS,cli)
PRELOAD_SRCS := $(call SRCS,preload)
UNIT_SRCS := $(sort $(wildcard tests/unit/*.c))
HOST_SRCS := $(sort $(wildcard tests/host/*.c))
VM_SRCS := $(sort $(wildcard tests/vm/guest/*.c))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/*.c))
BENCH_SRCS := $(sort $(wildcard bench/*.c))

LIB_LIBS := $(shell $(PKG_CONFIG) --libs hwloc) -lpthread -ldl
CLI_LIBS := $(shell $(PKG_CONFIG) --libs jansson smartcols) -lnuma -lm

OBJ = $(patsubst %.c,$(BUILD)/$(2)/%.o,$(1))
LIB_OBJS := $(call OBJ,$(LIB_SRCS),obj)
HOOK_OBJS := $(call OBJ,$(LIB_SRCS),hook)
CLI_OBJS := $(call OBJ,$(CLI_SRCS),obj)
PRELOAD_OBJS := $(call OBJ,$(PRELOAD_SRCS),obj)

LIBSO := $(BUILD)/libpageferry.so
STATICLIB := $(BUILD)/libpageferry.a
# All objects with all their symbols, for migbench, the drop-in and tests.
LIBA := $(BUILD)/internal/libferry.a
# The library again with FERRY_SYS_HOOKS, for tests that let system calls fail.
HOOKA := $(BUILD)/internal/libferry-hooks.a
PRELOAD := $(BUILD)/libpageferry-preload.so
MIGBENCH := $(BUILD)/migbench
# A tool for tests, of instructions that only this architecture has.
SHIM := $(if $(filter x86_64-%,$(shell $(CC) -dumpmachine)),$(BUILD)/dsa-portal-shim.so)
# The simulated machines that judge the policy.
SIM := $(BUILD)/bench/sim
SIMA := $(BUILD)/internal/libsim.a
SIM_OBJS := $(call OBJ,$(filter-out bench/sim/main.c,$(call SRCS,bench/sim)),obj)
SHIM_OBJS := $(call OBJ,$(call SRCS,tools/dsa-portal-shim),obj)

UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRCS))
HOST_BINS := $(patsubst tests/host/%.c,$(BUILD)/tests/host/%.t,$(HOST_SRCS))
VM_BINS := $(patsubst tests/vm/guest/%.c,$(BUILD)/vm/%,$(VM_SRCS))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SRCS))
BENCH_BINS := $(patsubst bench/%.c,$(BUILD)/bench/%,$(BENCH_SRCS))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

.PHONY: all lib tests unit-tests host-tests vm-tests fuzz bench check tidy coverage deb html demo-picture install clean \
	help format format-check FORCE
.SECONDARY:

all: lib $(if $(CLI_SRCS),$(MIGBENCH)) $(if $(PRELOAD_SRCS),$(PRELOAD)) $(SHIM)
lib: $(LIBSO) $(if $(SAN),,$(STATICLIB)) $(BUILD)/libpageferry.pc
unit-tests: $(UNIT_BINS)
host-tests: $(HOST_BINS)
vm-tests: $(VM_BINS)
fuzz: $(FUZZ_BINS)
bench: $(BENCH_BINS) $(SIM)
tests: all unit-tests host-tests vm-tests fuzz bench

help:
	@sed -n '/^# make /,/^$$/s/^# \{0,1\}//p' Makefile

check:
	./check

# An assembler statement at the top of a file is invisible to the link-time optimizer.
$(BUILD)/obj/preload/syscall.o: ALL_CFLAGS += -fno-lto

# Another version makes what names it anew.
$(BUILD)/version: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo $(VERSION) | cmp -s - $@ || echo $(VERSION) >$@

$(BUILD)/obj/lib/api/names.o $(BUILD)/hook/lib/api/names.o: $(BUILD)/version

$(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -c -o $@ $<

$(BUILD)/hook/%.o: %.c
	$(call say,CC,"$< (hooks)")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -DFERRY_SYS_HOOKS -c -o $@ $<

$(LIBSO): $(LIB_OBJS) lib/libpageferry.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(SONAME) $(if $(SAN),,-Wl,-z,defs) -Wl,-z,nodelete \
		-Wl,-z,now -Wl,--version-script=lib/libpageferry.map \
		-o $(BUILD)/$(SOFILE) $(LIB_OBJS) $(LIB_LIBS)
	$(Q)ln -sf $(SOFILE) $(BUILD)/$(SONAME)
	$(Q)ln -sf $(SONAME) $@

# clang's link-time optimizer wants LDFLAGS=-fuse-ld=lld.
STATIC_LDFLAGS := $(filter -fuse-ld=%,$(LDFLAGS)) $(if $(findstring -flto,$(CFLAGS)),\
	$(if $(findstring clang,$(CC)),,-flinker-output=nolto-rel))

# One object that has no global symbols but the public ones, so that none meets a program's own.
$(STATICLIB): $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(BUILD)/internal
	$(Q)$(CC) $(ALL_CFLAGS) -r -nostdlib $(STATIC_LDFLAGS) -o $(BUILD)/internal/pageferry.o $^
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/internal/pageferry.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/internal/pageferry.o

$(LIBA): $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(HOOKA): $(HOOK_OBJS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The drop-in carries the library in itself: a program needs one file, and sees one symbol table.
$(PRELOAD): $(PRELOAD_OBJS) $(LIBA) preload/preload.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -shared $(if $(SAN),,-Wl,-z,defs) -Wl,-z,now -Wl,-z,nodelete \
		-Wl,--version-script=preload/preload.map -o $@ $(PRELOAD_OBJS) $(LIBA) $(LIB_LIBS)

$(MIGBENCH): $(CLI_OBJS) $(LIBA)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -rdynamic -Wl,-z,now -o $@ $(CLI_OBJS) $(LIBA) $(LIB_LIBS) $(CLI_LIBS)

$(BUILD)/dsa-portal-shim.so: $(SHIM_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-z,now -o $@ $(SHIM_OBJS) -lpthread -ldl

# Made anew each time: PREFIX may be another one for `make install`.
$(BUILD)/libpageferry.pc: lib/libpageferry.pc.in FORCE
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' $< > $@

$(SIMA): $(SIM_OBJS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(SIM): $(BUILD)/obj/bench/sim/main.o $(SIMA) $(filter-out %/cli/main.o,$(CLI_OBJS)) $(LIBA)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LIBS) $(CLI_LIBS)

$(BUILD)/tests/unit/sim: UNIT_LIBS := $(SIMA) $(shell $(PKG_CONFIG) --libs jansson)
$(BUILD)/tests/unit/sim: $(SIMA)
$(BUILD)/tests/unit/profile_file: UNIT_LIBS := $(shell $(PKG_CONFIG) --libs jansson)

$(BUILD)/tests/unit/%: tests/unit/%.c $(HOOKA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -DFERRY_SYS_HOOKS -o $@ $< $(UNIT_LIBS) \
		$(HOOKA) $(LIB_LIBS) -lcriterion -lm

$(BUILD)/tests/host/%.t: tests/host/%.c $(HOOKA) | all
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -Wl,-z,now -DFERRY_SYS_HOOKS -o $@ $< $(HOOKA) \
		$(LIB_LIBS) -lm

$(BUILD)/vm/%: tests/vm/guest/%.c $(LIBA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIBA) $(LIB_LIBS) -lnuma

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(HOOKA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -DFERRY_SYS_HOOKS -o $@ $< $(HOOKA) \
		$(LIB_LIBS)

$(BUILD)/bench/%: bench/%.c $(LIBA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIBA) $(LIB_LIBS) -lm

install: all
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BUILD)/$(SOFILE) $(DESTDIR)$(LIBDIR)/
	ln -sf $(SOFILE) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libpageferry.so
	install -m 644 $(STATICLIB) $(DESTDIR)$(LIBDIR)/
	install -m 755 $(PRELOAD) $(DESTDIR)$(LIBDIR)/
	install -m 644 include/pageferry.h $(DESTDIR)$(INCLUDEDIR)/
	install -m 644 $(BUILD)/libpageferry.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 755 $(MIGBENCH) $(DESTDIR)$(PREFIX)/bin/
	install -D -m 644 completions/migbench.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/migbench
	install -D -m 644 completions/_migbench $(DESTDIR)$(ZSHDIR)/_migbench
	for s in 1 3 7; do \
		install -d $(DESTDIR)$(MANDIR)/man$$s && \
		install -m 644 man/*.$$s $(DESTDIR)$(MANDIR)/man$$s/ || exit 1; \
	done

SOURCES = $(shell git ls-files '*.c' '*.h')
format:
	clang-format -i $(SOURCES)
format-check:
	clang-format --dry-run -Werror $(SOURCES)

# One entry per source, with the flags of the objects that are linked into the library.
compile_commands.json: FORCE
	$(Q)$(MAKE) -nB V=1 tests | \
		awk -v directory='$(CURDIR)' -v skip=$(BUILD)/hook/ -f tools/lib/compile_commands.awk >$@.new
	$(Q)mv $@.new $@

tidy: compile_commands.json
	$(Q)printf '%s\n' $(LIB_SRCS) $(CLI_SRCS) $(PRELOAD_SRCS) | \
		xargs -P $$(nproc) -n 4 clang-tidy --quiet -p .

coverage:
	tools/coverage

deb:
	tools/deb

html:
	tools/html

demo-picture:
	tools/demo-picture

clean:
	rm -rf build compile_commands.json

-include $(shell find $(BUILD)/obj $(BUILD)/hook $(BUILD)/tests $(BUILD)/vm $(BUILD)/bench -name '*.d' 2>/dev/null)
