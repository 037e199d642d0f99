# postroom - GNU make; everything is built out of tree in $(BUILD)
#
#   make            programs in build/bin/
#   make check      all tests (installs what is missing first)
#   make demo       the main job, from a dropped delivery to the router's pick-up
#   make help       every target
SHELL = /bin/bash
BUILD ?= build
ifeq ($(origin CC),default)
CC = gcc
endif
PREFIX ?= /usr/local
# make V=1 shows whole commands
Q = $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)")
DESTDIR ?=

PACKAGES = libconfig zlib libarchive openssl libzstd libxxhash jansson icu-uc icu-i18n libdeflate libisal libcurl libnghttp2
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wformat=2 -Wnull-dereference -Wvla -Werror
HARDEN ?= -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
OPTIMISE ?= -O2 -g
SANITIZE ?=
# Rows pass through many small functions of several rooms: inlined across files the programs take a
# tenth less processor time. Objects are whole without it too, so that tests link quickly. What gcc
# guesses to be uninitialised then is looked at file by file, without.
LTO ?= $(if $(SANITIZE),,$(if $(findstring gcc,$(CC)),-flto=auto -ffat-lto-objects))
LTO_LINK = $(if $(LTO),$(LTO) $(OPTIMISE) -Wno-maybe-uninitialized)
LTO_NOT = $(if $(LTO),-fno-lto)
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
CMOCKA_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)
CFLAGS_ALL = -std=c17 -D_POSIX_C_SOURCE=200809L -pthread $(OPTIMISE) $(WARNINGS) $(HARDEN) \
    $(SANITIZE) $(LTO) -Isrc $(PKG_CFLAGS) $(CFLAGS)
# What a count keeps is taken over by the same program alone: its build id says which it is.
LDFLAGS_ALL = -pie -Wl,--build-id -Wl,-z,relro,-z,now -pthread $(SANITIZE) $(LDFLAGS)

PROGRAMS = postroomd postroom
# ROOMS="base sys audience" builds and tests those rooms alone.
ROOMS ?=
LIB_SRC := $(sort $(shell find $(if $(ROOMS),$(ROOMS:%=src/%),src) -name '*.c' -not -path 'src/bin/*'))
LIB_OBJ := $(LIB_SRC:src/%.c=$(BUILD)/obj/%.o)
UNIT_SRC := $(sort $(shell find $(if $(ROOMS),$(wildcard $(ROOMS:%=tests/unit/%)),tests/unit) -name '*_test.c'))
UNIT_BIN := $(UNIT_SRC:tests/%.c=$(BUILD)/tests/%)
TOOL_SRC := $(sort $(shell find tools -name '*.c'))
TOOL_BIN := $(TOOL_SRC:tools/%.c=$(BUILD)/tools/%)

.PHONY: all check check-san lint bench bench-send demo deps install uninstall clean help unit tools man
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS:%=$(BUILD)/bin/%) tools man

$(BUILD)/libpostroom.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR $@)
	$(Q)ar rcs $@ $^

# The system calls beyond POSIX (openat2, renameat2, epoll, landlock) live in sys/ alone.
$(BUILD)/obj/sys/%.o: CPPFLAGS += -D_GNU_SOURCE

$(BUILD)/obj/%.o: src/%.c | $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/bin/%: $(BUILD)/obj/bin/%.o $(BUILD)/libpostroom.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LTO_LINK) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/%: tests/%.c $(BUILD)/libpostroom.a
	@mkdir -p $(@D)
	$(call say,TEST $<)
	$(Q)$(CC) $(CPPFLAGS) -D_GNU_SOURCE $(filter-out $(LTO),$(CFLAGS_ALL)) $(LTO_NOT) $(LDFLAGS_ALL) -Itests -MMD -MP -o $@ $< \
	    $(BUILD)/libpostroom.a $(CMOCKA_LIBS) $(PKG_LIBS)

$(BUILD)/tools/%: tools/%.c $(BUILD)/libpostroom.a
	@mkdir -p $(@D)
	$(call say,TOOL $<)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out $(LTO),$(CFLAGS_ALL)) $(LTO_NOT) $(LDFLAGS_ALL) -MMD -MP -o $@ $< $(BUILD)/libpostroom.a $(PKG_LIBS)

# Everything is built anew when compiler or flags change.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL)' | cmp -s - $@ || echo '$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL)' > $@
FORCE:

unit: $(UNIT_BIN)
tools: $(TOOL_BIN)

# Manual pages: as they are in man/, and NAME.in with the settings that the schema knows.
MAN = postroom.1 postroomd.8 postroom.conf.5 postroom-delivery.5 postroom-spool.7 postroom-ledger.5
man: $(MAN:%=$(BUILD)/man/%)
$(BUILD)/man/postroom.conf.5: SCHEMA = house
$(BUILD)/man/postroom-delivery.5: SCHEMA = delivery
$(BUILD)/man/%: man/%
	@mkdir -p $(@D)
	@cp $< $@
$(BUILD)/man/%: man/%.in $(BUILD)/tools/schema-man
	@mkdir -p $(@D)
	@$(BUILD)/tools/schema-man $(SCHEMA) > $@.settings
	@sed -e '/^@SETTINGS@$$/{r $@.settings' -e 'd;}' $< > $@
	@rm $@.settings

# What install writes and uninstall removes: FROM:TO:MODE, TO below PREFIX.
UNITS = postroomd.service postroomd-nightly.service postroomd-nightly.timer
SAMPLES = $(wildcard etc/*.conf etc/conf.d/*.conf templates/*)
INSTALLED = $(BUILD)/bin/postroom:bin/postroom:755 $(BUILD)/bin/postroomd:sbin/postroomd:755 \
    $(foreach page,$(MAN),$(BUILD)/man/$(page):share/man/man$(subst .,,$(suffix $(page)))/$(page):644) \
    $(foreach unit,$(UNITS),etc/systemd/$(unit):lib/systemd/system/$(unit):644) \
    $(foreach sample,$(SAMPLES),$(sample):share/postroom/$(sample):644) \
    LICENSE:share/doc/postroom/LICENSE:644 README.md:share/doc/postroom/README.md:644

install: all
	@set -e; for entry in $(INSTALLED); do IFS=: read -r from to mode <<< "$$entry"; \
	    install -D -m "$$mode" "$$from" "$(DESTDIR)$(PREFIX)/$$to"; done
	@sed -i 's|/usr/local/|$(PREFIX)/|' $(UNITS:%=$(DESTDIR)$(PREFIX)/lib/systemd/system/%) \
	    $(DESTDIR)$(PREFIX)/share/man/man5/postroom.conf.5

uninstall:
	@for entry in $(INSTALLED); do IFS=: read -r from to mode <<< "$$entry"; \
	    rm -f "$(DESTDIR)$(PREFIX)/$$to"; done
	@for dir in postroom/etc/conf.d postroom/etc postroom/templates postroom doc/postroom; do \
	    rmdir "$(DESTDIR)$(PREFIX)/share/$$dir" 2>/dev/null || true; done

deps:
	@tools/deps

check: deps
	@$(MAKE) --no-print-directory all unit
	@tests/run --build $(BUILD)

check-san: deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/san OPTIMISE='-O1 -g -fno-omit-frame-pointer' \
	    HARDEN='-fPIE' SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' all unit
	@tests/run --build $(BUILD)/san --san

lint: deps
	@tools/lint $(BUILD)

bench: deps
	@$(MAKE) --no-print-directory all
	@tools/bench/run $(BUILD)

bench-send: deps
	@$(MAKE) --no-print-directory all
	@tools/bench/send-run $(BUILD)

demo: deps
	@$(MAKE) --no-print-directory all
	@tools/demo $(BUILD)

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#   //p' Makefile

-include $(LIB_OBJ:.o=.d) $(wildcard $(BUILD)/obj/bin/*.d) $(UNIT_BIN:=.d) $(TOOL_BIN:=.d)
