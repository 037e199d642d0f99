/*
 * env - what every use case works on: the house, the spool, both ledgers
 */
#ifndef POSTROOM_STAGE_ENV_H
#define POSTROOM_STAGE_ENV_H

#include "conf/house.h"
#include "ledger/ledger.h"
#include "spool/stage.h"
#include "stage/lists.h"

#include <stdint.h>

/* Of a delivery (docs/SPOOL.md): its order, frozen; its count; who was left out. */
#define SETTINGS_FILE "settings.conf"
#define TARGET_FILE "target.json"
#define EXCLUDED_FILE "excluded.csv"
/* What a count keeps for the extraction (stage/selection). A hidden name: nobody can drop one. */
#define KEPT_FILE ".selection"

struct shelf;

enum {
    /* Bytes of the small files that a delivery's directory holds and we read whole. */
    SETTINGS_BYTES_MAX = 4 << 20,
    BASIS_BYTES_MAX = 1 << 20,
    TARGET_BYTES_MAX = 8 << 20
};

struct stage_env {
    struct spool *spool;
    const struct house *house;
    struct ledger *cost;
    struct ledger *stock;
    struct shelf *shelf;      /* deliveries kept open between steps; NULL: none are */
    int64_t group_gid;        /* of the operators; -1: the process's */
    struct stage_lists lists; /* opened for the next worker, which can open no path itself */
};

#endif
