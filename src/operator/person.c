/*
 * person - finding operators, and what a reviewer entry means
 */
#include "operator/person.h"

const struct person *people_find(struct people people, const char *name)
{
    const struct person *person = people.list;
    for (size_t i = 0; name != NULL && i < people.count; i++, person++) {
        if (strcmp(person->name, name) == 0) {
            return person;
        }
    }
    return NULL;
}

bool person_matches(const struct person *person, const char *reviewer)
{
    if (reviewer[0] != '@') {
        return strcmp(person->name, reviewer) == 0;
    }
    for (size_t i = 0; i < person->group_count; i++) {
        if (strcmp(person->groups[i], reviewer + 1) == 0) {
            return true;
        }
    }
    return false;
}
