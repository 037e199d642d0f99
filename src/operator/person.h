/*
 * person - an operator as configured, and lists of them
 */
#ifndef POSTROOM_OPERATOR_PERSON_H
#define POSTROOM_OPERATOR_PERSON_H

#include "base/slice.h"

/* One entry of `operators`; all borrowed from the configuration. */
struct person {
    const char *name;
    const char *user;          /* login name whose files are this operator's; "" or NULL: none */
    const char *const *groups; /* without @ */
    size_t group_count;
    bool is_admin;
};

struct people {
    const struct person *list;
    size_t count;
};

/* people_find - by name; NULL where there is none */
const struct person *people_find(struct people people, const char *name);

/* person_matches - a reviewer entry, "bob" or "@marketing", means this person */
bool person_matches(const struct person *person, const char *reviewer);

#endif
