/* A copy of an environment while others read and write it. */

#include "aigw_db_internal.h"


aigw_err_t
aigw_db_copy(aigw_db_t *db, const char *path)
{
    if (db == NULL || db->env == NULL) {
        return AIGW_EINVAL;
    }

    return aigw_db_error(mdb_env_copy2(db->env, path, MDB_CP_COMPACT));
}
