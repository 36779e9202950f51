# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make            library, drop-in, migbench            → build/
# make tests      all test programs                      → build/tests/
# make SAN=asan   the same with ASan + UBSan             → build/asan/
# make SAN=tsan   the same with TSan                     → build/tsan/
# make install    PREFIX=/usr/local DESTDIR=
#
# A folder is a part; every .c file in it belongs to that part.

VERSION := 0.1.0
SONAME := libpageferry.so.0

SAN ?=
BUILD := build$(if $(SAN),/$(SAN))
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif

CFLAGS ?= -O2 -g
SAN_FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SAN_FLAGS_tsan := -fsanitize=thread
SAN_FLAGS := $(SAN_FLAGS_$(SAN))
ALL_CFLAGS := -std=gnu17 -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
	-Wpointer-arith -Wno-unused-parameter -fno-strict-aliasing -fno-omit-frame-pointer \
	-D_GNU_SOURCE -DFERRY_VERSION='"$(VERSION)"' -I. -Iinclude \
	$(if $(SAN),-O1) $(CFLAGS) $(SAN_FLAGS) -MMD -MP

# Optional parts: what the machine has decides what is built; `migbench doctor` says what is not.
HAVE = $(shell pkg-config --exists $(1) 2>/dev/null && echo y)
# Its header wants uuid/uuid.h, which its package does not depend on.
ifneq ($(and $(call HAVE,libaccel-config),$(call HAVE,uuid)),)
ALL_CFLAGS += -DHAVE_LIBACCEL_CONFIG $(shell pkg-config --cflags libaccel-config)
endif

LIB_DIRS := base copy crew policy hw/dsa hw/sdxi models models/dsa models/sdxi \
	engines engines/cpu engines/device engines/dsa engines/sdxi engines/fault \
	$(patsubst %/,%,$(wildcard lib/*/))
LIB_SRCS := $(sort $(wildcard $(addsuffix /*.c,$(LIB_DIRS))))
CLI_SRCS := $(sort $(wildcard cli/*.c cli/*/*.c))
PRELOAD_SRCS := $(sort $(wildcard preload/*.c))
UNIT_SRCS := $(sort $(wildcard tests/unit/*.c))
HOST_SRCS := $(sort $(wildcard tests/host/*.c))
VM_SRCS := $(sort $(wildcard tests/vm/guest/*.c))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/*.c))
BENCH_SRCS := $(sort $(wildcard bench/*.c))

LIB_LIBS := $(shell pkg-config --libs hwloc) -lpthread -ldl
CLI_LIBS := $(shell pkg-config --libs jansson smartcols) -lnuma -lm

OBJ = $(patsubst %.c,$(BUILD)/$(2)/%.o,$(1))
LIB_OBJS := $(call OBJ,$(LIB_SRCS),obj)
HOOK_OBJS := $(call OBJ,$(LIB_SRCS),hook)
CLI_OBJS := $(call OBJ,$(CLI_SRCS),obj)
PRELOAD_OBJS := $(call OBJ,$(PRELOAD_SRCS),obj)

LIBSO := $(BUILD)/libpageferry.so
LIBA := $(BUILD)/internal/libferry.a
# The library again with FERRY_SYS_HOOKS, for tests that let system calls fail.
HOOKA := $(BUILD)/internal/libferry-hooks.a
PRELOAD := $(BUILD)/libpageferry-preload.so
MIGBENCH := $(BUILD)/migbench

UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRCS))
HOST_BINS := $(patsubst tests/host/%.c,$(BUILD)/tests/host/%.t,$(HOST_SRCS))
VM_BINS := $(patsubst tests/vm/guest/%.c,$(BUILD)/vm/%,$(VM_SRCS))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SRCS))
BENCH_BINS := $(patsubst bench/%.c,$(BUILD)/bench/%,$(BENCH_SRCS))

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

.PHONY: all lib tests unit-tests host-tests vm-tests fuzz bench install clean format format-check \
	FORCE
.SECONDARY:

all: lib $(if $(CLI_SRCS),$(MIGBENCH)) $(if $(PRELOAD_SRCS),$(PRELOAD))
lib: $(LIBSO) $(BUILD)/libpageferry.pc
unit-tests: $(UNIT_BINS)
host-tests: $(HOST_BINS)
vm-tests: $(VM_BINS)
fuzz: $(FUZZ_BINS)
bench: $(BENCH_BINS)
tests: all unit-tests host-tests vm-tests fuzz bench

$(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -c -o $@ $<

$(BUILD)/hook/%.o: %.c
	$(call say,CC,"$< (hooks)")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -DFERRY_SYS_HOOKS -c -o $@ $<

$(LIBSO): $(LIB_OBJS) lib/libpageferry.map
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -shared -Wl,-soname,$(SONAME) $(if $(SAN),,-Wl,-z,defs) \
		-Wl,-z,now -Wl,--version-script=lib/libpageferry.map \
		-o $(BUILD)/$(SONAME) $(LIB_OBJS) $(LIB_LIBS)
	$(Q)ln -sf $(SONAME) $@

$(LIBA): $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(HOOKA): $(HOOK_OBJS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

# The drop-in carries the library in itself: a program needs one file, and sees one symbol table.
$(PRELOAD): $(PRELOAD_OBJS) $(LIBA) preload/preload.map
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -shared $(if $(SAN),,-Wl,-z,defs) -Wl,-z,now -Wl,-z,nodelete \
		-Wl,--version-script=preload/preload.map -o $@ $(PRELOAD_OBJS) $(LIBA) $(LIB_LIBS)

$(MIGBENCH): $(CLI_OBJS) $(LIBA)
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN_FLAGS) -rdynamic -Wl,-z,now -o $@ $(CLI_OBJS) $(LIBA) $(LIB_LIBS) $(CLI_LIBS)

# Made anew each time: PREFIX may be another one for `make install`.
$(BUILD)/libpageferry.pc: lib/libpageferry.pc.in FORCE
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' $< > $@

$(BUILD)/tests/unit/%: tests/unit/%.c $(HOOKA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -DFERRY_SYS_HOOKS -o $@ $< $(HOOKA) $(LIB_LIBS) -lcriterion -lm

$(BUILD)/tests/host/%.t: tests/host/%.c $(HOOKA) | all
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wl,-z,now -DFERRY_SYS_HOOKS -o $@ $< $(HOOKA) $(LIB_LIBS) -lm

$(BUILD)/vm/%: tests/vm/guest/%.c $(LIBA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(LIBA) $(LIB_LIBS) -lnuma

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(LIBA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(LIBA) $(LIB_LIBS)

$(BUILD)/bench/%: bench/%.c $(LIBA)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(LIBA) $(LIB_LIBS) -lm

install: all
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BUILD)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SONAME).$(VERSION)
	ln -sf $(SONAME).$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libpageferry.so
	install -m 755 $(PRELOAD) $(DESTDIR)$(LIBDIR)/
	install -m 644 include/pageferry.h $(DESTDIR)$(INCLUDEDIR)/
	install -m 644 $(BUILD)/libpageferry.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 755 $(MIGBENCH) $(DESTDIR)$(PREFIX)/bin/
	for s in 1 3 7; do \
		install -d $(DESTDIR)$(MANDIR)/man$$s && \
		install -m 644 man/*.$$s $(DESTDIR)$(MANDIR)/man$$s/ || exit 1; \
	done

SOURCES = $(shell git ls-files '*.c' '*.h')
format:
	clang-format -i $(SOURCES)
format-check:
	clang-format --dry-run -Werror $(SOURCES)

clean:
	rm -rf build

-include $(shell find $(BUILD)/obj $(BUILD)/hook $(BUILD)/tests $(BUILD)/vm -name '*.d' 2>/dev/null)
