/*
 * person - finding operators, and what a reviewer entry means
 */
#include "operator/person.h"

enum rc people_of_house(const struct house *house, struct arena *arena, struct people *out,
                        struct err *err)
{
    struct person *list = arena_array(arena, house->operator_count + 1, sizeof *list);
    if (list == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the operators");
    }
    for (size_t i = 0; i < house->operator_count; i++) {
        const struct house_operator *one = &house->operators[i];
        list[i] = (struct person){.name = one->name,
                                  .user = one->user,
                                  .groups = one->groups.items,
                                  .group_count = one->groups.count,
                                  .is_admin = one->is_admin};
    }
    *out = (struct people){list, house->operator_count};
    return RC_OK;
}

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
