/*
 * build - the linker's note, found where the program lies in memory
 *
 * Contract in the header.
 */
#include "sys/build.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NOTE_ALIGN = 4 };

static size_t aligned(size_t len)
{
    return (len + NOTE_ALIGN - 1) / NOTE_ALIGN * NOTE_ALIGN;
}

static struct slice find_note(const char *at, size_t len)
{
    while (len >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        size_t name = aligned(note.n_namesz);
        size_t whole = sizeof note + name + aligned(note.n_descsz);
        if (whole > len) {
            break;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(at + sizeof note, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
            return (struct slice){at + sizeof note + name, note.n_descsz};
        }
        at += whole;
        len -= whole;
    }
    return (struct slice){"", 0};
}

/* The program itself is the first that is told. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *out)
{
    struct slice *found = out;
    (void)size;
    for (ElfW(Half) i = 0; i < info->dlpi_phnum && found->len == 0; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE) {
            const uintptr_t address = info->dlpi_addr + part->p_vaddr;
            const char *at = NULL;
            memcpy(&at, &address, sizeof at);
            *found = find_note(at, part->p_memsz);
        }
    }
    return 1;
}

struct slice build_id(void)
{
    struct slice found = {"", 0};
    (void)dl_iterate_phdr(look_at_program, &found);
    return found;
}
