/*
 * build - which program this is
 */
#ifndef POSTROOM_SYS_BUILD_H
#define POSTROOM_SYS_BUILD_H

#include "base/slice.h"

/* build_id - the linker's digest of this program (its note NT_GNU_BUILD_ID); empty where it has
 * none. Two programs with the same one do the same */
struct slice build_id(void);

#endif
